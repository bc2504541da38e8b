// FlowAuditTests
