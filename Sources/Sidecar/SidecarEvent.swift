import Addressing
import DNSProxy
import Firewall
import FlowAudit
import Forwarder
import HTTPWire
import OwnerIdentity
import Spool
import Timekeeping

/// What happened in the world. Each effect that has an outcome names the event that brings it.
package enum SidecarEvent: Sendable {
  /// First, once. `leases` and `grants`: what a previous process left in the kernel, and `flowMarks`: what conntrack's entries bear; `tampering`: what of
  /// its rules someone else changed since.
  case started(
    SpoolListing, leases: [AdoptedLease], grants: [AdoptedGrant], flowMarks: Set<UInt32>,
    tampering: ForeignChange? = nil)
  /// The shell has drained what was ready.
  case turnEnded
  /// `nextDeadline` has come.
  case deadlineReached
  /// SIGTERM: say so on the record, deliver what can be delivered, end.
  case shutdownRequested

  // DNS.
  case queryReceived(ClientQuery)
  case upstreamAnswered([UInt8], from: Endpoint, socket: UInt32, isTCP: Bool)
  /// Refused, reset, unreachable.
  case upstreamFailed(Endpoint, socket: UInt32, isTCP: Bool)
  case clientClosed(UInt64)

  // The kernel.
  case kernelCommitted(UInt64, CommitOutcome)
  /// Someone else changed our table.
  case rulesetChanged(ForeignChange)
  /// Base chains of others that translate what leaves, after other tables changed.
  case interceptorsFound([String])
  /// Outcome of `findFlows`.
  case flowsFound([ConntrackEvent])
  /// Outcome of `deleteFlows`: the entries that were deleted, with their last counters.
  case flowsCut([ConntrackEvent])
  case conntrack(ConntrackEvent)
  /// Outcome of `readCounters` when there is no such entry.
  case flowMissing(FlowTuple, identifier: UInt32)
  /// The kernel dropped events: reconcile.
  case conntrackOverflowed
  /// The event socket itself failed with this errno.
  case conntrackFailed(code: Int32)
  /// Outcome of `dumpFlows`.
  case flowsDumped([ConntrackEvent])
  /// The pod's own IPv6 addresses: before `started`, and whenever they changed.
  case sourcesFound([IPAddress])
  /// Outcome of `readCounts`; nil when they could not be read.
  case countsRead(KernelCounts?)
  /// Outcome of `removeCounts`.
  case countsRemoved

  // The disk.
  case cursorRead([UInt8]?)
  case segmentRead(String, [UInt8]?)
  case spoolWritten(SpoolTicket, StorageOutcome)
  case spoolSynced(SpoolTicket, StorageOutcome)
  case cursorWritten(UInt64, StorageOutcome)
  case spoolRead(SpoolRead, [UInt8]?)
  /// A watched file changed, and was read.
  case policyRead(PolicyReading)
  /// Outcome of `keep`.
  case kept(UInt64, StorageOutcome)
  /// Something that nothing waits for (a deletion, a quarantine) failed.
  case storageFailed(reason: String)

  // The hub.
  case delivered(UInt64, DeliveryOutcome)
  /// Outcome of `deliver` without `connects`: no connection is kept any more. The address is asked for again.
  case deliveryUnconnected(UInt64)
  /// Outcome of `copy`.
  case copied(UInt64, StorageOutcome)
  case tokenReady
  case tokenUnavailable(reason: String)
  /// Outcome of `exchangeToken`.
  case tokenExchanged(UInt64, TokenOutcome)

  /// Outcome of `notify`.
  case noticeSent(UInt64, NoticeOutcome)

  // The owner.
  /// Outcome of `checkSignature`.
  case signatureChecked(UInt64, SignatureCheck.Outcome)
  /// `SALLYPORT_OWNER_TOKEN_FILE` at the start and whenever it changed; nil: it is not there.
  case ownerTokenRead([UInt8]?)
  /// `SALLYPORT_OWNER_JWKS_FILE` whenever it changed; nil: it is not there.
  case ownerKeysRead([UInt8]?)

  // The API.
  case requestReceived(UInt64, HTTPRequest)
}

/// What became of an exchange of tokens. The token itself stays with the shell.
package enum TokenOutcome: Hashable, Sendable {
  case issued(lifetime: TimeSpan)
  /// `retryAfter`: what the authority asked for.
  case failed(reason: String, retryAfter: TimeSpan?)
}

/// The files of the spool's directory.
package typealias SpoolListing = [SpoolFile]

/// An element that a previous process left in a map of leases.
package struct AdoptedLease: Hashable, Sendable {
  package var set: SetName
  package var element: SetElement

  package init(set: SetName, element: SetElement) {
    self.set = set
    self.element = element
  }
}
