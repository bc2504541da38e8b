// What somebody is told of, and what they look at then: deploy/docs/runbook.md has a section for each alert by its name.
param location string
param workspaceId string
param actionGroups array

var alerts = [
  { name: 'SallyportTampered', severity: 0, every: 'PT5M', window: 'PT10M', range: 'PT10M', query: 'SallyportRecords | where SbxRecordKind == "Tamper" and TimeGenerated > ago(10m)' }
  { name: 'SallyportRecordsMissing', severity: 1, every: 'PT15M', window: 'PT1H', range: 'P2D', query: 'SallyportGaps | where Accounted == false and NoticedAt between (ago(1h) .. ago(5m))' }
  { name: 'SallyportRecordsDropped', severity: 1, every: 'PT5M', window: 'PT10M', range: 'PT10M', query: 'SallyportRecords | where SbxRecordKind == "RecordsDropped" and TimeGenerated > ago(10m)' }
  { name: 'SallyportSilent', severity: 1, every: 'PT5M', window: 'P1D', range: 'P1D', query: 'SallyportSilence | where SilentFor < 30m' }
  { name: 'SallyportLate', severity: 2, every: 'PT15M', window: 'PT2H', range: 'PT2H', query: 'SallyportLateness | where Hour > ago(2h) and LatePercent > 1.0' }
  { name: 'SallyportChannel', severity: 2, every: 'PT5M', window: 'PT10M', range: 'PT10M', query: 'SallyportBudget | where Last > ago(10m)' }
  { name: 'SallyportOwnerRefused', severity: 2, every: 'PT5M', window: 'PT10M', range: 'PT10M', query: 'SallyportRecords | where SbxRecordKind == "OwnerChange" and EventResult == "Failure" and TimeGenerated > ago(10m)' }
]

resource rules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for alert in alerts: {
  name: alert.name
  location: location
  kind: 'LogAlert'
  properties: {
    displayName: alert.name
    description: 'deploy/docs/runbook.md#${toLower(alert.name)}'
    severity: alert.severity
    enabled: true
    evaluationFrequency: alert.every
    windowSize: alert.window
    // Holes are seen between their neighbours, which may be older than the window.
    overrideQueryTimeRange: alert.range
    scopes: [
      workspaceId
    ]
    criteria: {
      allOf: [
        {
          query: alert.query
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: actionGroups
    }
    autoMitigate: true
  }
}]

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(workspaceId, 'sallyport')
  location: location
  kind: 'shared'
  properties: {
    displayName: 'Sallyport'
    category: 'workbook'
    sourceId: workspaceId
    serializedData: loadTextContent('../workbook.json')
  }
}
