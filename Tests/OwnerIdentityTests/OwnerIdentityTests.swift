// OwnerIdentityTests
