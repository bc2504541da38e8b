/// Names of clouds below which each customer names his own resources, and that the Public Suffix List does not have.
private let cloudSuffixes = [
  "blob.core.windows.net", "dfs.core.windows.net", "file.core.windows.net", "queue.core.windows.net",
  "table.core.windows.net", "web.core.windows.net", "servicebus.windows.net", "database.windows.net",
  "search.windows.net", "vault.azure.net",
  "openai.azure.com", "cognitiveservices.azure.com", "services.ai.azure.com", "azurecr.io", "azurefd.net",
  "azureedge.net", "cloudapp.azure.com", "documents.azure.com", "azmk8s.io", "kusto.windows.net", "trafficmanager.net",
  "visualstudio.com", "dev.azure.com", "amazonaws.com", "googleapis.com", "googleusercontent.com",
]

/// Whether a wildcard directly below this name may cover names that anybody can have: a public suffix, a suffix that a company hands out names
/// below (`github.io`), or a name with one of those somewhere below it (`amazonaws.com`). A document may still say so; nobody should be
/// advised to.
///
/// `name`: lower case.
func isShared(_ name: [UInt8]) -> Bool {
  guard name.contains(0x2e), !isPublicSuffix(name) else { return true }
  for suffix in cloudSuffixes where isAtOrBelow(Array(suffix.utf8)[...], name) { return true }
  let table = Array(sharedSuffixTable.utf8)
  return table.split(whereSeparator: { $0 == 0x20 || $0 == 0x0a }).contains { isAtOrBelow($0, name) }
}

/// `suffix` is `name`, or a name below it.
private func isAtOrBelow(_ suffix: ArraySlice<UInt8>, _ name: [UInt8]) -> Bool {
  guard suffix.count >= name.count, suffix.suffix(name.count).elementsEqual(name) else { return false }
  return suffix.count == name.count || suffix[suffix.endIndex - name.count - 1] == 0x2e
}
