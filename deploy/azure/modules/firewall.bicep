// What the sidecars need of the firewall, and nothing for workloads: those have rules of their own, under the same ceiling.
param firewallPolicyName string
param sandboxAddresses array
param hubHost string

resource policy 'Microsoft.Network/firewallPolicies@2024-01-01' existing = {
  name: firewallPolicyName
}

resource sidecar 'Microsoft.Network/firewallPolicies/ruleCollectionGroups@2024-01-01' = {
  parent: policy
  name: 'rcg-sallyport'
  properties: {
    priority: 190
    ruleCollections: [
      {
        ruleCollectionType: 'FirewallPolicyFilterRuleCollection'
        name: 'rc-sallyport-audit'
        priority: 100
        action: {
          type: 'Allow'
        }
        rules: [
          {
            ruleType: 'ApplicationRule'
            name: 'hub-and-token-endpoint'
            protocols: [
              { protocolType: 'Https', port: 443 }
            ]
            sourceAddresses: sandboxAddresses
            targetFqdns: [
              hubHost
              'login.microsoftonline.com'
            ]
          }
        ]
      }
    ]
  }
}
