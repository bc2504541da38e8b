// PolicyAPITests
