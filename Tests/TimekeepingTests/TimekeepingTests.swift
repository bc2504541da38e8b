// TimekeepingTests
