using 'main.bicep'

param name = 'sandbox'
param oidcIssuer = 'https://eastus2.oic.prod-aks.azure.com/TENANT/CLUSTER/'
param sandboxNamespaces = [
  'sandboxes'
]
param firewallPolicyName = 'afwp-hub'
param sandboxAddresses = [
  '10.10.2.0/23'
]
