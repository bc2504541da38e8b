// The hub: Entra tokens only, TLS 1.2, four partitions, a consumer group for each reader.
param location string
param name string
param throughputUnits int
param maximumThroughputUnits int
param senderPrincipalId string

// Azure Event Hubs Data Sender.
var senderRole = '2b629674-e913-4c01-ae53-ef4638d8f975'

resource namespace 'Microsoft.EventHub/namespaces@2024-01-01' = {
  name: 'evhns-${name}'
  location: location
  sku: {
    name: 'Standard'
    tier: 'Standard'
    capacity: throughputUnits
  }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
    kafkaEnabled: false
    isAutoInflateEnabled: true
    maximumThroughputUnits: maximumThroughputUnits
    // A data collection rule reads over the public endpoint; who may is decided by roles.
    publicNetworkAccess: 'Enabled'
  }
}

resource hub 'Microsoft.EventHub/namespaces/eventhubs@2024-01-01' = {
  parent: namespace
  name: 'sandbox-audit-fast'
  properties: {
    partitionCount: 4
    // What a reader that is down can be late without loss.
    retentionDescription: {
      cleanupPolicy: 'Delete'
      retentionTimeInHours: 168
    }
  }
}

resource readers 'Microsoft.EventHub/namespaces/eventhubs/consumergroups@2024-01-01' = [for reader in ['stream-analytics', 'log-analytics']: {
  parent: hub
  name: reader
  properties: {}
}]

resource send 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(hub.id, senderPrincipalId, senderRole)
  scope: hub
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', senderRole)
    principalId: senderPrincipalId
    principalType: 'ServicePrincipal'
  }
}

output namespaceName string = namespace.name
output hubName string = hub.name
output host string = '${namespace.name}.servicebus.windows.net'
