import Testing

@testable import EgressPolicy

/// The table is searched by halves; read from end to end it must say the same.
@Suite struct PublicSuffixTests {
  @Test func everySuffixOfTheTableIsFoundAndNoStranger() {
    var labels: [Substring: [Substring]] = [:]
    for line in publicSuffixTable.split(separator: "\n") {
      let parts = line.split(separator: " ")
      labels[parts[0].dropLast(), default: []] += parts.dropFirst()
    }
    #expect(labels.count > 300)
    for (parent, labels) in labels {
      let isAnyLabel = labels.contains("*")
      for label in labels where label != "*" {
        let isException = label.hasPrefix("!")
        let name = "\(isException ? label.dropFirst() : label).\(parent)"
        #expect(isPublicSuffix(Array(name.utf8)) == !isException, "\(name)")
      }
      for stranger in ["00", "mmm-none", "zzzz-none"] {
        #expect(isPublicSuffix(Array("\(stranger).\(parent)".utf8)) == isAnyLabel, "\(stranger).\(parent)")
      }
      if isAnyLabel, parent.contains(".") { #expect(isPublicSuffix(Array(parent.utf8)), "\(parent)") }
    }
    for name in ["example.test", "a.b", "zzz.zzzz", "0.0"] { #expect(!isPublicSuffix(Array(name.utf8)), "\(name)") }
  }
}
