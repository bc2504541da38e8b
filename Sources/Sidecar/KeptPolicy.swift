import EgressPolicy
import JSONText

/// The policy as the state directory keeps it: what the API changed wins over the settings when the daemon restarts in the same pod (contract §3).
///
///     {"podUid":"…","revision":7,"source":"api","fileDigest":"…","policy":{"egress":[…],"defaultAction":"deny"}}
package struct KeptPolicy: Hashable, Sendable {
  /// Nil when the daemon was not told: then the directory's life is taken for the pod's.
  package var podUID: String?
  package var revision: UInt64
  /// Nil: what the settings say, read again; of what the API did not change only the revision is kept.
  package var document: PolicyDocument?
  /// `api`, or the file that it came from.
  package var source: String?
  /// SHA-256 of the policy file when this was kept: a file that says something else now changed afterwards, and wins.
  package var fileDigest: String?

  package init(
    podUID: String?, revision: UInt64, document: PolicyDocument?, source: String? = nil, fileDigest: String? = nil
  ) {
    self.podUID = podUID
    self.revision = revision
    self.document = document
    self.source = source
    self.fileDigest = fileDigest
  }

  /// The most octets of the file that are read: a document of the API's size and some room.
  package static let bytesMax = PolicyLimits.standard.bodyMax + 4_096
  /// Its name in the state directory.
  package static let file = ChangeState.file

  package var composed: [UInt8] { composed(document?.json() ?? []) }

  /// `json`: the document's, if there is one.
  func composed(_ json: [UInt8]) -> [UInt8] {
    var writer = JSONWriter()
    writer.beginObject()
    if let podUID {
      writer.key("podUid")
      writer.string(podUID)
    }
    writer.key("revision")
    writer.integer(revision)
    if let source {
      writer.key("source")
      writer.string(source)
    }
    if let fileDigest {
      writer.key("fileDigest")
      writer.string(fileDigest)
    }
    if document != nil {
      writer.key("policy")
      writer.raw(json)
    }
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
    guard let number = value["revision"]?.integer, let revision = UInt64(exactly: number) else {
      throw PolicyProblems(path: "$", reason: "no revision")
    }
    guard let policy = value["policy"] else {
      guard let source = value["source"]?.string else { throw PolicyProblems(path: "$", reason: "no policy") }
      return KeptPolicy(
        podUID: value["podUid"]?.string, revision: revision, document: nil, source: source,
        fileDigest: value["fileDigest"]?.string)
    }
    var writer = JSONWriter()
    writer.value(policy)
    var unlimited = limits
    unlimited.rulesMax = 0
    return KeptPolicy(
      podUID: value["podUid"]?.string, revision: revision,
      document: try PolicyDocument.parse(writer.bytes, limits: unlimited), source: value["source"]?.string,
      fileDigest: value["fileDigest"]?.string)
  }
}
