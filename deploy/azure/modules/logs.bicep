// The table: a data collection rule reads the hub, takes each record apart, and keeps its exact bytes beside the columns.
param location string
param name string
param namespaceName string
param hubName string
param retentionDays int
param commitmentTier int

// Azure Event Hubs Data Receiver.
var receiverRole = 'a638d3c7-ab3a-418d-83e6-5f17a39d4fde'

resource hub 'Microsoft.EventHub/namespaces/eventhubs@2024-01-01' existing = {
  name: '${namespaceName}/${hubName}'
}

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: 'log-${name}-sallyport'
  location: location
  properties: {
    sku: commitmentTier > 0 ? {
      name: 'CapacityReservation'
      capacityReservationLevel: commitmentTier
    } : {
      name: 'PerGB2018'
    }
    retentionInDays: retentionDays
    features: {
      disableLocalAuth: true
    }
  }
}

resource records 'Microsoft.OperationalInsights/workspaces/tables@2023-09-01' = {
  parent: workspace
  name: 'SandboxAuditFast_CL'
  properties: {
    plan: 'Analytics'
    retentionInDays: retentionDays
    schema: {
      name: 'SandboxAuditFast_CL'
      columns: loadJsonContent('../columns.json')
    }
  }
}

// The queries as functions of the workspace: SallyportRecords, SallyportGaps, …
resource functions 'Microsoft.OperationalInsights/workspaces/savedSearches@2020-08-01' = [for item in [
  { name: 'SallyportRecords', query: loadTextContent('../kql/SallyportRecords.kql') }
  { name: 'SallyportGaps', query: loadTextContent('../kql/gaps.kql') }
  { name: 'SallyportLateness', query: loadTextContent('../kql/lateness.kql') }
  { name: 'SallyportSilence', query: loadTextContent('../kql/silence.kql') }
  { name: 'SallyportReach', query: loadTextContent('../kql/reach.kql') }
  { name: 'SallyportDenied', query: loadTextContent('../kql/denied.kql') }
  { name: 'SallyportBudget', query: loadTextContent('../kql/budget.kql') }
  { name: 'SallyportTamper', query: loadTextContent('../kql/tamper.kql') }
]: {
  parent: workspace
  name: item.name
  properties: {
    category: 'Sallyport'
    displayName: item.name
    functionAlias: item.name
    query: item.query
    version: 2
  }
  dependsOn: [
    records
  ]
}]

resource endpoint 'Microsoft.Insights/dataCollectionEndpoints@2023-03-11' = {
  name: 'dce-${name}-sallyport'
  location: location
  properties: {}
}

// The stream of an event hub has these three columns and no others.
resource rule 'Microsoft.Insights/dataCollectionRules@2023-03-11' = {
  name: 'dcr-${name}-sallyport'
  location: location
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    dataCollectionEndpointId: endpoint.id
    streamDeclarations: {
      'Custom-Records': {
        columns: [
          { name: 'TimeGenerated', type: 'datetime' }
          { name: 'RawData', type: 'string' }
          { name: 'Properties', type: 'dynamic' }
        ]
      }
    }
    dataSources: {
      dataImports: {
        eventHub: {
          name: 'records'
          consumerGroup: 'log-analytics'
          stream: 'Custom-Records'
        }
      }
    }
    destinations: {
      logAnalytics: [
        {
          name: 'workspace'
          workspaceResourceId: workspace.id
        }
      ]
    }
    dataFlows: [
      {
        streams: [
          'Custom-Records'
        ]
        destinations: [
          'workspace'
        ]
        transformKql: loadTextContent('../kql/transform.kql')
        outputStream: 'Custom-SandboxAuditFast_CL'
      }
    ]
  }
  dependsOn: [
    records
  ]
}

resource receive 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(hub.id, rule.id, receiverRole)
  scope: hub
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', receiverRole)
    principalId: rule.identity.principalId
    principalType: 'ServicePrincipal'
  }
}

resource association 'Microsoft.Insights/dataCollectionRuleAssociations@2023-03-11' = {
  name: 'sallyport'
  scope: hub
  properties: {
    dataCollectionRuleId: rule.id
  }
  dependsOn: [
    receive
  ]
}

output workspaceId string = workspace.id
