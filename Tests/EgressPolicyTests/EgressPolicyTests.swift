// EgressPolicyTests
