import Addressing

/// What a client sent.
package struct ClientQuery: Sendable {
  /// The shell's: comes back in the reply.
  package var client: UInt64
  package var source: Endpoint
  package var isTCP: Bool
  /// One message, without the length that TCP puts before it.
  package var bytes: [UInt8]

  package init(client: UInt64, source: Endpoint, isTCP: Bool, bytes: [UInt8]) {
    self.client = client
    self.source = source
    self.isTCP = isTCP
    self.bytes = bytes
  }
}

/// Whether names are answered at all.
package enum DNSGate: Hashable, Sendable {
  case open
  /// Every name is answered NXDOMAIN and nothing goes upstream. `reason` is for the record (`OWNER_UNBOUND`,
  /// `AUDIT_STORE_FULL`), `text` for people.
  case closed(reason: String, text: String)
}
