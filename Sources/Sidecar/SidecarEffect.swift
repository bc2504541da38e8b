import Addressing
import DNSProxy
import Firewall
import FlowAudit
import Forwarder
import HTTPWire
import OwnerIdentity
import Spool

/// What the shell must do, in order. It decides nothing.
package enum SidecarEffect: Sendable {
  // The kernel.
  /// Then `kernelCommitted`.
  case commit(UInt64, KernelTransaction)
  /// Keep what the rules are now in the state directory, so that the next start sees whether someone changed them meanwhile.
  case rememberRuleset
  /// Read the conntrack entries of these marks and narrowed grants; then `flowsFound`.
  case findFlows(marks: [UInt32], narrowed: [NarrowedGrant])
  /// Delete these conntrack entries; then `flowsCut`.
  case deleteFlows([ConntrackEvent])
  /// GET this entry; then `conntrack` with a snapshot, or `flowMissing`.
  case readCounters(FlowTuple, identifier: UInt32)
  /// Then `flowsDumped`.
  case dumpFlows
  /// Read the ruleset's counters and counting sets, then every flow event that was waiting; then `countsRead`.
  case readCounts
  /// Take these out of the counting sets; then `countsRemoved`.
  case removeCounts([DroppedPackets])

  // DNS.
  case sendUpstream(UpstreamQuery)
  /// Close what leads to other upstreams than these.
  case forgetResolvers(besides: [Endpoint])
  case reply(DNSReply)

  // The disk.
  /// A disk effect of the spool; its outcome comes back as the event that `SpoolEffect` names.
  case spool(SpoolEffect)
  /// Then `spoolRead`.
  case readSpool(SpoolRead)
  /// Replace a file of the state directory, durably; then `kept`.
  case keep(UInt64, file: String, bytes: [UInt8])

  // The hub.
  /// Then `delivered`. `endpoint` nil: append the body to the audit file. Without `connects` only over a connection that is
  /// kept; else `deliveryUnconnected`.
  case deliver(Delivery, to: Endpoint?, connects: Bool)
  case abandonDelivery(UInt64)
  /// Then `tokenReady` or `tokenUnavailable`.
  case fetchToken
  /// By workload identity: then `tokenExchanged`.
  case exchangeToken(UInt64, at: Endpoint)
  /// The token in use is not used again; one that is being exchanged is another.
  case forgetToken
  /// Append these lines to the audit file beside the hub; then `copied`. Whole or not at all.
  case copy(UInt64, [UInt8])

  /// Tell the webhook, at this address; then `noticeSent`.
  case notify(UInt64, [UInt8], to: Endpoint)

  // The owner.
  /// Then `signatureChecked`.
  case checkSignature(UInt64, SignatureCheck)

  // The API.
  case respond(UInt64, HTTPResponse)

  case log(LogEntry)
  /// The ruleset holds: from now on the API may say so.
  case ready
  /// Enforcement cannot be had; the reason names what is missing. The process ends.
  case fail(reason: String)
  /// Everything is said and stored as far as it can be: end the process.
  case stop
}

/// One line for operators. Never secrets, never record contents.
package struct LogEntry: Hashable, Sendable {
  package enum Level: Int, Hashable, Comparable, Sendable {
    case debug, info, warning, error

    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
  }

  package var level: Level
  package var message: String
  /// Further members of the line, in order.
  package var fields: [(name: String, value: String)]

  package init(_ level: Level, _ message: String, _ fields: [(name: String, value: String)] = []) {
    self.level = level
    self.message = message
    self.fields = fields
  }

  package static func == (left: Self, right: Self) -> Bool {
    left.level == right.level && left.message == right.message && left.fields.elementsEqual(right.fields, by: ==)
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(level)
    hasher.combine(message)
  }
}
