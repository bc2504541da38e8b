import Addressing
import DNSWire
import Timekeeping

/// An effect the shell performs, in the order given.
package enum DNSAction: Sendable {
  case sendUpstream(UpstreamQuery)
  /// Hold these addresses, then call `leaseSettled`.
  case lease(LeaseRequest)
  case reply(DNSReply)
  /// The daemon's own look-up succeeded.
  case resolvedForDaemon(token: UInt64, addresses: [IPAddress], ttl: TimeSpan)
  /// The daemon's own look-up failed; `reason` is for people.
  case daemonLookupFailed(token: UInt64, reason: String)
}

/// A query to send. It is answered by `receiveUpstream`, refused by `upstreamFailed`, or times out.
package struct UpstreamQuery: Sendable {
  package var upstream: Endpoint
  /// Whom the certificate must name: over TLS. Nil: no TLS.
  package var serverName: String?
  /// Over the one stream that the shell keeps to this upstream, with the length before `bytes`.
  package var isTCP: Bool
  /// UDP: the slot of the socket to send from, `0..<upstreamSockets`. Over a stream 0.
  package var socket: UInt32
  package var bytes: [UInt8]
}

/// An address that an answer holds.
package struct AnsweredAddress: Hashable, Sendable {
  package var address: IPAddress
  /// Seconds.
  package var ttl: UInt32

  package init(_ address: IPAddress, ttl: UInt32) {
    self.address = address
    self.ttl = ttl
  }
}

/// Addresses that a client waits for. None of them is withheld by the policy that decided at this moment; some may need
/// no lease, since a rule about addresses allows them.
package struct LeaseRequest: Sendable {
  /// For `leaseSettled`.
  package var answer: UInt64
  /// The name that was asked for, which the policy allows.
  package var name: DomainName
  /// In the order of the answer; not empty.
  package var addresses: [AnsweredAddress]
  /// Of the query, for records.
  package var sessionID: UInt64
}

/// What became of a `LeaseRequest`.
package enum LeaseOutcome: Hashable, Sendable {
  /// The kernel holds every address, the shortest for this long from now on.
  case held(shortest: TimeSpan)
  /// At least one is not held. `reason` is for the record, `text` for people.
  case failed(reason: String, text: String)
}

/// A message for a client.
package struct DNSReply: Sendable {
  package var client: UInt64
  /// Who asked.
  package var source: Endpoint
  package var isTCP: Bool
  /// Without the length that TCP puts before it.
  package var bytes: [UInt8]
  /// What the record of this query says; nil when the query could not be read.
  package var facts: DNSFacts?
}
