// Who sidecars are at the hub: one identity for all of them, bound to the service accounts of the sandbox namespaces. It may send and nothing else.
param location string
param name string
param oidcIssuer string
param sandboxNamespaces array

resource sender 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'id-${name}-sallyport'
  location: location
}

// At most 20 for one identity. Azure wants them made one after the other.
@batchSize(1)
resource federation 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2023-01-31' = [for namespace in sandboxNamespaces: {
  parent: sender
  name: 'sallyport-${namespace}'
  properties: {
    issuer: oidcIssuer
    subject: 'system:serviceaccount:${namespace}:default'
    audiences: [
      'api://AzureADTokenExchange'
    ]
  }
}]

output principalId string = sender.properties.principalId
output clientId string = sender.properties.clientId
