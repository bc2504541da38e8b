// The way downstream: an event hub that takes records by Entra tokens alone, the archive, and the table with its queries, alerts and workbook.
// az deployment group create --resource-group RG --template-file deploy/azure/main.bicep --parameters deploy/azure/example.bicepparam
targetScope = 'resourceGroup'

@description('Where everything stands. The data collection rule, the endpoint, the workspace and the hub must be in one region.')
param location string = resourceGroup().location

@description('Part of every name: letters and digits, at most 12.')
@minLength(3)
@maxLength(12)
param name string

@description('The issuer of the cluster\'s service account tokens: az aks show --query oidcIssuerProfile.issuerUrl')
param oidcIssuer string

@description('Namespaces with sandboxes; their service account `default` may send records.')
param sandboxNamespaces array = [
  'sandboxes'
]

@description('Throughput units to begin with: 1,000 records or 1 MB a second each. They grow by themselves up to maximumThroughputUnits.')
param throughputUnits int = 2
param maximumThroughputUnits int = 10

@description('Days for which the archive cannot be changed or deleted, by nobody.')
param archiveDays int = 90

@description('Days for which the table answers queries.')
param retentionDays int = 90

@description('A commitment tier in GB a day, or 0. Reading an event hub by a data collection rule needs one, or a dedicated cluster.')
param commitmentTier int = 100

@description('The firewall policy that the sandboxes\' subnet goes out by, or empty: then no rules are made.')
param firewallPolicyName string = ''

@description('Address ranges of the sandboxes\' subnet, for the firewall\'s rules.')
param sandboxAddresses array = []

@description('Who is told by the alerts: resource ids of action groups.')
param actionGroups array = []

module identity 'modules/identity.bicep' = {
  name: 'sallyport-identity'
  params: {
    location: location
    name: name
    oidcIssuer: oidcIssuer
    sandboxNamespaces: sandboxNamespaces
  }
}

module hub 'modules/hub.bicep' = {
  name: 'sallyport-hub'
  params: {
    location: location
    name: name
    throughputUnits: throughputUnits
    maximumThroughputUnits: maximumThroughputUnits
    senderPrincipalId: identity.outputs.principalId
  }
}

module stream 'modules/stream.bicep' = {
  name: 'sallyport-stream'
  params: {
    location: location
    name: name
    namespaceName: hub.outputs.namespaceName
    hubName: hub.outputs.hubName
    archiveDays: archiveDays
  }
}

module logs 'modules/logs.bicep' = {
  name: 'sallyport-logs'
  params: {
    location: location
    name: name
    namespaceName: hub.outputs.namespaceName
    hubName: hub.outputs.hubName
    retentionDays: retentionDays
    commitmentTier: commitmentTier
  }
}

module watch 'modules/watch.bicep' = {
  name: 'sallyport-watch'
  params: {
    location: location
    workspaceId: logs.outputs.workspaceId
    actionGroups: actionGroups
  }
}

module firewall 'modules/firewall.bicep' = if (!empty(firewallPolicyName)) {
  name: 'sallyport-firewall'
  params: {
    firewallPolicyName: firewallPolicyName
    sandboxAddresses: sandboxAddresses
    hubHost: hub.outputs.host
  }
}

@description('For the chart: sidecar.settings.SALLYPORT_EVENTHUB_URL.')
output eventHubUrl string = 'https://${hub.outputs.host}/${hub.outputs.hubName}'

@description('For the chart: sidecar.workloadIdentity.clientId.')
output clientId string = identity.outputs.clientId

@description('For the chart: sidecar.workloadIdentity.tenantId.')
output tenantId string = tenant().tenantId
