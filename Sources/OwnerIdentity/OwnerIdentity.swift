// OwnerIdentity: whose sandbox this is.
//
//   OwnerID       a tenant and an object id of Microsoft Entra, as every record names them
//   OwnerBinding  who owns the sandbox, which binding said so, and how it was proved
//   OwnerState    bound or unbound
//   Ownership     the state of this pod: bound at most once in its life, never rebound to another owner
//
// Constraints. A record that names an owner must be right for ever, so the first binding stands until the pod dies: the same owner again is accepted and changes
// nothing, another is refused. Unbound is a state of its own and is never written as zeros or a placeholder.
//
// Failures. `OwnerID.parse` says what is wrong with the text, without repeating more of it than its own words.
