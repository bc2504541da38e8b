// The archive: Stream Analytics writes every record into storage that nobody can change for as long as it is kept, and what is urgent a second time.
// Stream Analytics cannot write into Log Analytics; modules/logs.bicep reads the hub for itself.
param location string
param name string
param namespaceName string
param hubName string
param archiveDays int

// Azure Event Hubs Data Receiver; Storage Blob Data Contributor.
var receiverRole = 'a638d3c7-ab3a-418d-83e6-5f17a39d4fde'
var blobRole = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'

resource hub 'Microsoft.EventHub/namespaces/eventhubs@2024-01-01' existing = {
  name: '${namespaceName}/${hubName}'
}

resource storage 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: 'st${name}audit'
  location: location
  kind: 'StorageV2'
  sku: {
    name: 'Standard_ZRS'
  }
  properties: {
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    // Stream Analytics comes as a trusted service, by its managed identity.
    networkAcls: {
      defaultAction: 'Deny'
      bypass: 'AzureServices'
    }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2023-05-01' = {
  parent: storage
  name: 'default'
}

resource containers 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = [for container in ['audit-fast', 'audit-urgent']: {
  parent: blobs
  name: container
}]

// Append stays possible: the job adds to the blob of the hour.
resource immutable 'Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies@2023-05-01' = [for place in [0, 1]: {
  parent: containers[place]
  name: 'default'
  properties: {
    immutabilityPeriodSinceCreationInDays: archiveDays
    allowProtectedAppendWritesAll: true
  }
}]

resource job 'Microsoft.StreamAnalytics/streamingjobs@2021-10-01-preview' = {
  name: 'asa-${name}-audit'
  location: location
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    sku: {
      name: 'StandardV2'
    }
    compatibilityLevel: '1.2'
    jobType: 'Cloud'
    // A record that cannot be written stops the job and is an alert; dropping it would be a hole.
    outputErrorPolicy: 'Stop'
    eventsOutOfOrderPolicy: 'Adjust'
    eventsOutOfOrderMaxDelayInSeconds: 5
    eventsLateArrivalMaxDelayInSeconds: -1
    transformation: {
      name: 'audit'
      properties: {
        streamingUnits: 10
        query: loadTextContent('../audit.asaql')
      }
    }
  }
}

resource records 'Microsoft.StreamAnalytics/streamingjobs/inputs@2021-10-01-preview' = {
  parent: job
  name: 'records'
  properties: {
    type: 'Stream'
    datasource: {
      type: 'Microsoft.EventHub/EventHub'
      properties: {
        serviceBusNamespace: namespaceName
        eventHubName: hubName
        consumerGroupName: 'stream-analytics'
        authenticationMode: 'Msi'
      }
    }
    serialization: {
      type: 'Json'
      properties: {
        encoding: 'UTF8'
      }
    }
  }
}

resource outputs 'Microsoft.StreamAnalytics/streamingjobs/outputs@2021-10-01-preview' = [for sink in [{ name: 'archive', container: 'audit-fast' }, { name: 'urgent', container: 'audit-urgent' }]: {
  parent: job
  name: sink.name
  properties: {
    datasource: {
      type: 'Microsoft.Storage/Blob'
      properties: {
        storageAccounts: [
          {
            accountName: storage.name
          }
        ]
        container: sink.container
        pathPattern: '{date}/{time}'
        dateFormat: 'yyyy/MM/dd'
        timeFormat: 'HH'
        authenticationMode: 'Msi'
      }
    }
    serialization: {
      type: 'Json'
      properties: {
        encoding: 'UTF8'
        format: 'LineSeparated'
      }
    }
  }
}]

resource receive 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(hub.id, job.id, receiverRole)
  scope: hub
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', receiverRole)
    principalId: job.identity.principalId
    principalType: 'ServicePrincipal'
  }
}

resource write 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(storage.id, job.id, blobRole)
  scope: storage
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobRole)
    principalId: job.identity.principalId
    principalType: 'ServicePrincipal'
  }
}
