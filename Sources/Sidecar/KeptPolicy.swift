import EgressPolicy
import JSONText

/// The policy as the state directory keeps it: what the API changed wins over the settings when the daemon restarts in the same pod (contract §3).
///
///     {"podUid":"…","revision":7,"policy":{"egress":[…],"defaultAction":"deny"}}
package struct KeptPolicy: Hashable, Sendable {
  /// Nil when the daemon was not told: then the directory's life is taken for the pod's.
  package var podUID: String?
  package var revision: UInt64
  package var document: PolicyDocument

  package init(podUID: String?, revision: UInt64, document: PolicyDocument) {
    self.podUID = podUID
    self.revision = revision
    self.document = document
  }

  /// The most octets of the file that are read: a document of the API's size and some room.
  package static let bytesMax = PolicyLimits.standard.bodyMax + 4_096
  /// Its name in the state directory.
  package static let file = ChangeState.file

  package var composed: [UInt8] { composed(document.json()) }

  /// `json`: the document's.
  func composed(_ json: [UInt8]) -> [UInt8] {
    var writer = JSONWriter()
    writer.beginObject()
    if let podUID {
      writer.key("podUid")
      writer.string(podUID)
    }
    writer.key("revision")
    writer.integer(revision)
    writer.key("policy")
    writer.raw(json)
    writer.endObject()
    return writer.bytes + [0x0a]
  }

  /// - Throws: the reason in words; the file is then set aside and said, never half used.
  package static func parse(_ bytes: [UInt8], limits: PolicyLimits) throws(PolicyProblems) -> KeptPolicy {
    let value: JSONValue
    do {
      value = try JSONValue.parse(bytes)
    } catch {
      throw PolicyProblems(path: error.path, reason: error.reason)
    }
    guard let number = value["revision"]?.integer, let revision = UInt64(exactly: number), let policy = value["policy"]
    else { throw PolicyProblems(path: "$", reason: "no revision or no policy") }
    var writer = JSONWriter()
    writer.value(policy)
    var unlimited = limits
    unlimited.rulesMax = 0
    return KeptPolicy(
      podUID: value["podUid"]?.string, revision: revision,
      document: try PolicyDocument.parse(writer.bytes, limits: unlimited))
  }
}
