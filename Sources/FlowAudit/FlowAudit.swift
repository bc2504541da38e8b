// FlowAudit
