import Addressing
import DNSWire
import EgressPolicy
import Timekeeping

/// The permission of one rule for one name, or of one rule about addresses. Its id is the mark of the flows that it let out.
///
/// It stands while the rule does, and while an address rule, a lease or a live flow needs it.
struct Grant: Sendable {
  /// Where a lease under this grant once led: its flows may still live.
  struct FormerAddress: Hashable, Sendable {
    var address: IPAddress
    var ports: PortSet
  }

  /// Former addresses remembered per grant; beyond it the grant is judged as a whole.
  static let formerAddressesMax = 256
  /// How long a grant stays after its last lease and flow: the event of a flow that began in its last moment comes late.
  static let linger = TimeSpan.seconds(30)

  var rule: RuleReference
  /// The DNS session that leased last under it; 0 for a rule about addresses.
  var session: UInt64
  var former: [FormerAddress] = []
  /// For a rule about addresses: where it let flows out and another rule does so now.
  var formerPlan: [AddressPlanEntry] = []
  var changedIn: UInt64 = 0
  /// The rule's `expiresAt` on the monotonic clock.
  var ruleEnds: Instant?
  /// The policy has this rule about addresses now.
  var isStatic = false
  var isRevoked = false
  /// A previous process' grant of which nothing is known: it lasts until `ruleEnds`.
  var isUnknown = false
  /// Parts of leases under it.
  var leases: Int32 = 0
  /// The kernel has been sent it, with this end.
  var heldUntil: Instant?
  var isHeld = false
  var formerOverflowed = false
  /// `ruleEnds` is that of other rules, by which its flows go on.
  var isLimited = false
  var flows: Int32 = 0
  /// Until when it stays without lease and flow; nil while it has some.
  var lingersUntil: Instant?
  /// Number of the name; nil for a rule about addresses.
  let name: Int?

  init(_ rule: RuleReference, session: UInt64, name: Int?) {
    self.rule = rule
    self.session = session
    self.name = name
  }

  var isNeeded: Bool { isStatic || leases > 0 || flows > 0 || isUnknown }

  func isWanted(at now: Instant) -> Bool {
    if isRevoked { return false }
    if let ruleEnds, ruleEnds <= now { return false }
    return isNeeded || lingersUntil.map { now < $0 } ?? false
  }

  /// Whether the transaction took it out of the kernel, and nothing has changed it since.
  func isDone(in transaction: UInt64, at now: Instant) -> Bool {
    !isHeld && changedIn <= transaction && !isWanted(at: now)
  }

  /// What the kernel holds of it.
  static func element(_ id: UInt32, _ left: TimeSpan?, comment: [UInt8]?) -> SetElement {
    // In host order, as the kernel keeps marks.
    var values = ElementValues()
    values.append(bigEndian: id.bigEndian)
    return SetElement(values, timeout: left, comment: comment)
  }

  /// False when there is no room.
  mutating func remember(_ entry: AddressPlanEntry) -> Bool {
    guard formerPlan.count < Self.formerAddressesMax else { return false }
    formerPlan.append(entry)
    return true
  }

  /// Joins the ports of one address, since flows are remembered one by one.
  mutating func remember(adopted address: IPAddress, _ ports: PortSet) {
    if let place = former.firstIndex(where: { $0.address == address }) {
      former[place].ports = former[place].ports.union(ports)
    } else {
      remember(address, ports)
    }
  }

  mutating func remember(_ address: IPAddress, _ ports: PortSet) {
    if former.contains(where: { $0.address == address && $0.ports == ports }) { return }
    if former.count == Self.formerAddressesMax {
      // Without a live flow nothing under the old ones can be alive but what began within `linger`.
      formerOverflowed = flows > 0
      former.removeFirst(Self.formerAddressesMax / 2)
    }
    former.append(FormerAddress(address: address, ports: ports))
  }
}
