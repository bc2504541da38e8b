// OwnerIdentity
