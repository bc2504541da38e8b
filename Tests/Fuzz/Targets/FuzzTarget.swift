// Fuzz targets: every parser of foreign octets, and the machines that they feed, each as a function of octets that must return.
//
// A target traps when a property does not hold; whoever calls it finds crashes, hangs and growth by himself. libFuzzer is one caller (`Tests/Fuzz/run`), the
// ordinary tests are the other: they replay the corpora and every input that once failed. The properties say more than that nothing crashes: what is parsed
// and composed reads back the same, how octets were cut changes nothing, limits hold, no address leaves without its lease.
//
// To add one: a file beside this with `extension FuzzTarget { static let NAME = … }`, its place in `all`, and a folder of a few inputs in `Tests/Fuzz/Corpus`.

/// A function of octets that must not trap, hang or grow.
package struct FuzzTarget: Sendable {
  /// The name of its folder in `Corpus` and `Regressions`.
  package let name: String
  /// Longer inputs find nothing that shorter ones do not.
  package let octetsMax: Int
  package let run: @Sendable ([UInt8]) -> Void

  package static let all: [FuzzTarget] = [
    .dnsMessage, .dnsComposer, .dnsProxy, .policyDocument, .policyList, .jsonText, .yamlText, .admissionReview,
    .httpRequest, .httpResponse, .ownerToken, .ownerKeys, .resolverFile, .settingsFile, .spoolSegments, .auditLines,
    .conntrackEvents, .rulesetListing,
  ]
}

extension FuzzTarget {
  /// Holds of every input but the empty one: whether a property that does not hold is noticed. Not fuzzed.
  package static let falsehood = FuzzTarget(name: "falsehood", octetsMax: 1) { require(!$0.isEmpty, "it is empty") }
}

/// Traps, with the words, when something does not hold.
func require(_ condition: Bool, _ words: @autoclosure () -> String) {
  if !condition { fatalError(words()) }
}
