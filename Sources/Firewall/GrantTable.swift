import EgressPolicy
import Timekeeping

/// The grants by id. What nearly all of them are lies here in 40 octets each; the rest beside it. A place is good until the next removal, which puts the last one into the gap.
struct GrantTable: Sendable {
  private struct Slot: Sendable {
    /// `Int64.min`: nil.
    var lingersUntil: Int64
    var id: UInt32
    /// -1: of a rule about addresses.
    var name: Int32
    var rule: UInt32
    var leases: Int32
    var flows: Int32
    var session: Bits48
    var changedIn: Bits48
    var marks: Marks
  }

  private struct Marks: OptionSet, Sendable {
    let rawValue: UInt8
    static let isStatic = Marks(rawValue: 1)
    static let isRevoked = Marks(rawValue: 2)
    static let isUnknown = Marks(rawValue: 4)
    static let isHeld = Marks(rawValue: 8)
    static let formerOverflowed = Marks(rawValue: 16)
    static let hasMore = Marks(rawValue: 32)
    static let isLimited = Marks(rawValue: 64)
  }

  /// What few grants have.
  private struct More: Sendable {
    var former: [Grant.FormerAddress]
    var formerPlan: [AddressPlanEntry]
    var ruleEnds: Instant?
    var heldUntil: Instant?
  }

  private var index = HashIndex()
  private var slots = Pages<Slot>()
  private var rules = RuleTable()
  private var more: [UInt32: More] = [:]

  var count: Int { slots.count }

  /// In no order that means anything.
  var keys: [UInt32] { (0..<slots.count).map { slots[$0].id } }

  @inline(__always)
  func index(forKey id: UInt32) -> Int? { index.find(HashIndex.hash(id)) { slots[$0].id == id } }

  subscript(id: UInt32) -> Grant? {
    get { index(forKey: id).map { grant(at: $0) } }
    set {
      switch (index(forKey: id), newValue) {
      case (let place?, let grant?): replace(at: place, with: grant)
      case (let place?, nil): remove(at: place)
      case (nil, let grant?): append(grant, id)
      case (nil, nil): break
      }
    }
  }

  func grant(at place: Int) -> Grant {
    let slot = slots[place]
    var grant = Grant(rules[slot.rule], session: slot.session.value, name: slot.name < 0 ? nil : Int(slot.name))
    grant.changedIn = slot.changedIn.value
    grant.isStatic = slot.marks.contains(.isStatic)
    grant.isRevoked = slot.marks.contains(.isRevoked)
    grant.isUnknown = slot.marks.contains(.isUnknown)
    grant.isHeld = slot.marks.contains(.isHeld)
    grant.formerOverflowed = slot.marks.contains(.formerOverflowed)
    grant.isLimited = slot.marks.contains(.isLimited)
    grant.leases = slot.leases
    grant.flows = slot.flows
    grant.lingersUntil = slot.lingersUntil == .min ? nil : Instant(nanoseconds: slot.lingersUntil)
    if slot.marks.contains(.hasMore), let more = more[slot.id] {
      grant.former = more.former
      grant.formerPlan = more.formerPlan
      grant.ruleEnds = more.ruleEnds
      grant.heldUntil = more.heldUntil
    }
    return grant
  }

  private mutating func append(_ grant: Grant, _ id: UInt32) {
    index.insert(slots.count, HashIndex.hash(id))
    slots.append(slot(grant, id, rule: rules.retain(grant.rule)))
  }

  private mutating func replace(at place: Int, with grant: Grant) {
    let former = slots[place].rule
    slots[place] = slot(grant, slots[place].id, rule: rules.retain(grant.rule))
    rules.release(former)
  }

  private mutating func slot(_ grant: Grant, _ id: UInt32, rule: UInt32) -> Slot {
    var marks: Marks = []
    if grant.isStatic { marks.insert(.isStatic) }
    if grant.isRevoked { marks.insert(.isRevoked) }
    if grant.isUnknown { marks.insert(.isUnknown) }
    if grant.isHeld { marks.insert(.isHeld) }
    if grant.formerOverflowed { marks.insert(.formerOverflowed) }
    if grant.isLimited { marks.insert(.isLimited) }
    if !grant.former.isEmpty || !grant.formerPlan.isEmpty || grant.ruleEnds != nil || grant.heldUntil != nil {
      marks.insert(.hasMore)
      more[id] = More(
        former: grant.former, formerPlan: grant.formerPlan, ruleEnds: grant.ruleEnds, heldUntil: grant.heldUntil)
    } else if !more.isEmpty {
      more[id] = nil
    }
    return Slot(
      lingersUntil: grant.lingersUntil?.nanoseconds ?? .min, id: id, name: grant.name.map { Int32($0) } ?? -1,
      rule: rule, leases: grant.leases, flows: grant.flows, session: Bits48(grant.session),
      changedIn: Bits48(grant.changedIn), marks: marks)
  }

  mutating func removeValue(forKey id: UInt32) -> Grant? {
    guard let place = index(forKey: id) else { return nil }
    let grant = grant(at: place)
    remove(at: place)
    return grant
  }

  private mutating func remove(at place: Int) {
    let removed = slots[place]
    index.remove(place, HashIndex.hash(removed.id))
    rules.release(removed.rule)
    if removed.marks.contains(.hasMore) { more[removed.id] = nil }
    let last = slots.count - 1
    if place < last {
      index.renumber(last, to: place, HashIndex.hash(slots[last].id))
      slots[place] = slots[last]
    }
    slots.removeLast()
  }

  // What every new name looks at, without making a grant of it.

  func rule(at place: Int) -> RuleReference { rules[slots[place].rule] }

  func isRevoked(at place: Int) -> Bool { slots[place].marks.contains(.isRevoked) }

  func isLimited(at place: Int) -> Bool { slots[place].marks.contains(.isLimited) }

  func isHeld(at place: Int) -> Bool { slots[place].marks.contains(.isHeld) }

  func ruleEnds(at place: Int) -> Instant? {
    slots[place].marks.contains(.hasMore) ? more[slots[place].id]?.ruleEnds : nil
  }

  func changedIn(at place: Int) -> UInt64 { slots[place].changedIn.value }

  func isNeeded(at place: Int) -> Bool {
    let slot = slots[place]
    return slot.leases > 0 || slot.flows > 0 || !slot.marks.isDisjoint(with: [.isStatic, .isUnknown])
  }

  /// Leases that are left.
  mutating func countLeases(by step: Int, at place: Int) -> Int {
    slots[place].leases += Int32(step)
    return Int(slots[place].leases)
  }

  mutating func note(session: UInt64, at place: Int) { slots[place].session = Bits48(session) }

  mutating func note(changedIn transaction: UInt64, at place: Int) { slots[place].changedIn = Bits48(transaction) }

  mutating func linger(until end: Instant?, at place: Int) { slots[place].lingersUntil = end?.nanoseconds ?? .min }

  /// What the kernel has been sent of it.
  mutating func note(isHeld: Bool, until end: Instant?, at place: Int) {
    if end != nil || slots[place].marks.contains(.hasMore) {
      var grant = grant(at: place)
      grant.isHeld = isHeld
      grant.heldUntil = end
      replace(at: place, with: grant)
    } else if isHeld {
      slots[place].marks.insert(.isHeld)
    } else {
      slots[place].marks.remove(.isHeld)
    }
  }
}

/// The rules of grants, each once.
private struct RuleTable: Sendable {
  private var numbers: [RuleReference: UInt32] = [:]
  private var rules: [RuleReference?] = []
  private var users: [Int] = []
  private var free: [UInt32] = []
  /// Stands where there is none, which no grant sees.
  private static let none = RuleReference(place: .defaultAction, action: .deny, text: "")

  subscript(number: UInt32) -> RuleReference { rules[Int(number)] ?? Self.none }

  mutating func retain(_ rule: RuleReference) -> UInt32 {
    if let number = numbers[rule] {
      users[Int(number)] += 1
      return number
    }
    let number = free.popLast() ?? UInt32(rules.count)
    if Int(number) < rules.count {
      rules[Int(number)] = rule
      users[Int(number)] = 1
    } else {
      rules.append(rule)
      users.append(1)
    }
    numbers[rule] = number
    return number
  }

  mutating func release(_ number: UInt32) {
    users[Int(number)] -= 1
    guard users[Int(number)] == 0, let rule = rules[Int(number)] else { return }
    numbers[rule] = nil
    rules[Int(number)] = nil
    free.append(number)
  }
}
