import Addressing
import EgressPolicy
import Timekeeping

/// What one transaction changes, and how to undo it.
struct Batch: Sendable {
  /// What an input replaced.
  enum Undo: Sendable {
    indirect case address(IPAddress, AddressRecord)
    /// It was not known before.
    case addressMade(IPAddress)
    /// It was made here.
    case made(UInt32)
    /// Indirect, like an address and the policy: the others come with every new name and are small.
    indirect case grant(UInt32, Grant)
    /// Whether the kernel had been sent the grant, and with which end.
    case sent(UInt32, isHeld: Bool, until: Instant?)
    case gate(Gate)
    case own(OwnDestination, Instant??)
    indirect case policy(RuleSet?, AddressRules)
    case heldRules([[SetElement]])
    case heldSources(Set<IPAddress>)
  }

  /// An answer that waits, and the leases that it needs.
  struct Answer: Sendable {
    var id: UInt64
    var name: Int
    var addresses: Few<IPAddress>
  }

  let id: UInt64
  var journal: [Undo] = []
  var answers: [Answer] = []
  /// Answers whose leases a later change of the policy took away.
  var failed: [UInt64] = []
  /// In order of staging; an address stands here once.
  var addresses: [IPAddress] = []
  var grants: [UInt32] = []
  var own: [OwnDestination] = []
  var cuts: [CutFlow] = []
  var changesGate = false
  var changesRules = false
  var changesSources = false
  /// The whole ruleset.
  var installs = false
  /// In a new table.
  var replaces = false
  /// Every element.
  var rewrites = false
  var revoked: [UInt32] = []
  var narrowed: [NarrowedGrant] = []

  /// Timeouts in its transaction count from here.
  var takenAt = Instant(nanoseconds: 0)

  init(id: UInt64) { self.id = id }

  /// The sets of rules and of the daemon's own destinations are filled from nothing.
  var isAnew: Bool { installs || rewrites }

  var isEmpty: Bool {
    answers.isEmpty && failed.isEmpty && addresses.isEmpty && grants.isEmpty && own.isEmpty && cuts.isEmpty
      && !changesGate
      && !changesRules && !changesSources && !installs && !rewrites && revoked.isEmpty && narrowed.isEmpty
  }
}
