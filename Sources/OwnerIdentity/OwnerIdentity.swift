// OwnerIdentity: whose sandbox this is, and how that is proved.
//
//   OwnerID       a tenant and an object id of Microsoft Entra, as every record names them
//   SignedToken   a JWS taken apart; KeySet finds the one key that it names
//   OwnerProof    what a token whose signature is valid must say; OwnerIssuer tells a platform's tokens from Entra's
//   ProofRefusal  the check that failed, by name
//   OwnerBinding  who owns the sandbox, which binding said so, and how it was proved
//   Ownership     the state of this pod: bound at most once in its life, never rebound to another owner
//   KeptOwner     the binding in the state directory; TokenFile finds a token in a file or among annotations
//
// Constraints. A record that names an owner must be right for ever, so the first binding stands until the pod dies: the same owner again is accepted and changes
// nothing, another is refused. Unbound is a state of its own and is never written as zeros or a placeholder. An annotation and a header can be written by whoever
// may write the object; only a signature that names this very pod is proof, so that it is worth nothing anywhere else.
//
// Order of the checks: size, form, algorithm, key, signature, then the claims. Whoever cannot sign learns nothing of what a claim should have been. The signature
// itself is OpenSSL's, outside of this module: `SignedToken.message` and `.signature` with `KeySet.key(for:)` go out, a yes or no comes back.
//
// Failures. A refusal names its check and never repeats the token. A set of keys that cannot be read changes nothing.
