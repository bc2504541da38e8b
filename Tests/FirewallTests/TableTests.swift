import Addressing
import DNSWire
import EgressPolicy
import Testing
import Timekeeping

@testable import Firewall

/// The tables keep small what nearly every entry is, and say of every entry what a dictionary would.
@Suite struct TableTests {
  private static let ports = [
    PortSet.everything, PortSet(tcp: [443...443], udp: [], otherProtocols: false),
    PortSet(tcp: [80...80, 443...443], udp: [53...53], otherProtocols: true),
  ]

  private func address(_ number: UInt64) -> IPAddress {
    // The same octets in both families: they must not be taken for one another.
    number % 2 == 0
      ? .v4(IPv4Address(bits: UInt32(number / 2)))
      : .v6(IPv6Address(high: number % 3 == 0 ? 0 : 1 << 40, low: number / 2))
  }

  private func record(_ random: inout RandomPolicyTests.Generator, transaction: UInt64) -> AddressRecord {
    func instant() -> Instant { Instant(nanoseconds: Int64.random(in: 1...1 << 60, using: &random)) }
    var record = AddressRecord()
    // Alone in its record a lease has no order.
    let count = Int.random(in: 0...2, using: &random)
    for order in 0..<count {
      var lease = Lease(
        name: Int.random(in: 0...1 << 20, using: &random), until: instant(), order: UInt64(count > 1 ? order : 0),
        session: UInt64.random(in: 0..<1 << 48, using: &random), parts: [])
      for _ in 0..<(Bool.random(using: &random) ? 1 : Int.random(in: 1...2, using: &random)) {
        let part = LeasePart(
          grant: UInt32.random(in: 1...FlowMark.grantMax, using: &random),
          ports: Self.ports[Int.random(in: 0..<3, using: &random)],
          ruleEnds: Int.random(in: 0..<4, using: &random) == 0 ? instant() : nil)
        lease.parts.append(part)
      }
      record.leases.append(lease)
    }
    record.wanted = elements(of: record.leases, enumeratedMax: 128)
    switch Int.random(in: 0..<4, using: &random) {
    case 0: break
    case 1: record.held = Few(LeaseElement(key: .plain, mark: 7, until: instant()))
    default: record.held = record.wanted
    }
    record.changedIn = transaction
    record.scheduled = Bool.random(using: &random) ? instant() : nil
    if Bool.random(using: &random) {
      record.lateness = .nanoseconds(Int64.random(in: 0...1 << 40, using: &random))
    }
    return record
  }

  @Test func aTableOfAddressesGivesBackEveryRecordAsItWasPutInWhateverItsForm() throws {
    var random = RandomPolicyTests.Generator(state: 1)
    var table = AddressTable()
    var model: [IPAddress: AddressRecord] = [:]
    for turn in 0..<20_000 {
      let address = address(UInt64.random(in: 0..<3_000, using: &random))
      if Int.random(in: 0..<3, using: &random) == 0 {
        table[address] = nil
        model[address] = nil
      } else {
        let record = record(&random, transaction: UInt64(turn))
        table[address] = record
        model[address] = record
      }
      try #require(table[address] == model[address])
    }
    #expect(table.count == model.count)
    #expect(table.keys.sorted() == model.keys.sorted())
    for (address, record) in model {
      #expect(table[address] == record)
      let place = try #require(table.index(forKey: address))
      let scheduled = record.scheduled ?? Instant(nanoseconds: 0)
      #expect(table.address(at: place, scheduledFor: scheduled) == (record.scheduled == nil ? nil : address))
      for lease in record.leases {
        let standing = try #require(table.standing(of: lease.name, at: place))
        let first = try #require(record.leases.first { $0.name == lease.name })
        #expect(standing.until == first.until && standing.shortest == first.shortest)
        #expect(standing.changedIn == record.changedIn)
      }
      #expect(table.standing(of: 1 << 21, at: place) == nil)
    }
    for address in table.keys { table[address] = nil }
    #expect(table.count == 0 && table.keys.isEmpty)
  }

  @Test func whatIsNotedOfAnAddressInPlaceIsInItsRecordWhateverItsForm() throws {
    var random = RandomPolicyTests.Generator(state: 2)
    var table = AddressTable()
    for number in 0..<2_000 as Range<UInt64> {
      var expected = record(&random, transaction: number)
      guard let name = expected.leases.first?.name else { continue }
      let place = table.put(expected, for: address(number))
      let lateness = TimeSpan.nanoseconds(Int64.random(in: 0...1 << 34, using: &random))
      table.note(session: number, of: name, at: place)
      table.raise(lateness: lateness, at: place)
      expected.leases[0].session = number
      expected.lateness = max(expected.lateness, lateness)
      try #require(table[address(number)] == expected)
      guard let sole = table.sendSole(at: place) else { continue }
      #expect(sole.isNew == (expected.held != expected.wanted))
      #expect(sole.element == expected.wanted.first)
      expected.held = expected.wanted
      try #require(table[address(number)] == expected)
    }
  }

  @Test func aNameKeepsItsNumberWhileItIsNeededAndItsOctetsGoWhenItIsNot() throws {
    var table = NameTable()
    var numbers: [Int: DomainName] = [:]
    var random = RandomPolicyTests.Generator(state: 3)
    for turn in 0..<30_000 {
      let text = "N\(turn).\(String(repeating: "x", count: Int.random(in: 1...60, using: &random))).example.test"
      let name = try #require(DomainName(text))
      let number = table.number(of: name)
      try #require(numbers[number] == nil)
      table.countLeases(of: number, by: 1)
      numbers[number] = name
      #expect(table.number(of: name.lowercase) == number)
      guard numbers.count > 500, let oldest = numbers.keys.sorted().randomElement(using: &random) else { continue }
      table.release(oldest)
      #expect(table[oldest] == numbers[oldest], "it has a lease")
      table.countLeases(of: oldest, by: -1)
      table.release(oldest)
      #expect(table[oldest] == nil)
      numbers[oldest] = nil
    }
    #expect(table.count == numbers.count)
    for (number, name) in numbers { #expect(table[number] == name) }
    #expect(table.octetsHeld < 256 << 10)
  }

  @Test func aNameHasTheGrantsThatItWasGivenAndTheFirstWantedIsFound() throws {
    var table = NameTable()
    let number = table.number(of: try #require(DomainName("a.test")))
    for grant in 1...3 as ClosedRange<UInt32> { table.add(grant: grant, to: number) }
    #expect(table.firstGrant(of: number) { $0 > 1 } == 2)
    table.remove(grant: 1, from: number)
    #expect(table.firstGrant(of: number) { _ in true } == 2)
    table.remove(grant: 3, from: number)
    table.release(number)
    #expect(table[number] != nil, "a grant is left")
    table.remove(grant: 2, from: number)
    #expect(table.firstGrant(of: number) { _ in true } == nil)
    table.release(number)
    #expect(table[number] == nil && table.count == 0)
  }

  @Test func aTableOfGrantsGivesBackEveryGrantAsItWasPutIn() throws {
    var random = RandomPolicyTests.Generator(state: 4)
    var table = GrantTable()
    var model: [UInt32: Grant] = [:]
    let rules = (0..<40).map { RuleReference(place: .rule($0), action: .allow, text: "allow r\($0).test") }
    for turn in 0..<20_000 {
      let id = UInt32.random(in: 1...2_000, using: &random)
      switch Int.random(in: 0..<4, using: &random) {
      case 0:
        #expect(table.removeValue(forKey: id).map(Form.init) == model.removeValue(forKey: id).map(Form.init))
      case 1:
        guard let place = table.index(forKey: id) else { continue }
        let end = Int.random(in: 0..<4, using: &random) == 0 ? Instant(nanoseconds: Int64(turn)) : nil
        table.note(isHeld: end != nil || turn % 2 == 0, until: end, at: place)
        table.note(session: UInt64(turn), at: place)
        table.note(changedIn: UInt64(turn), at: place)
        table.linger(until: end, at: place)
        model[id]?.isHeld = end != nil || turn % 2 == 0
        model[id]?.heldUntil = end
        model[id]?.session = UInt64(turn)
        model[id]?.changedIn = UInt64(turn)
        model[id]?.lingersUntil = end
      default:
        var grant = Grant(rules[turn % rules.count], session: UInt64(turn), name: turn % 3 == 0 ? nil : turn)
        grant.flows = Int32(turn % 2)
        grant.leases = Int32(turn % 5)
        grant.isStatic = turn % 7 == 0
        grant.isRevoked = turn % 11 == 0
        grant.isLimited = turn % 13 == 0
        if turn % 9 == 0 { grant.remember(.v4(IPv4Address(bits: UInt32(turn))), .everything) }
        if turn % 10 == 0 { grant.ruleEnds = Instant(nanoseconds: Int64(turn)) }
        table[id] = grant
        model[id] = grant
      }
      try #require(table[id].map(Form.init) == model[id].map(Form.init))
      if let place = table.index(forKey: id), let grant = model[id] {
        #expect(table.isNeeded(at: place) == grant.isNeeded && table.isHeld(at: place) == grant.isHeld)
        #expect(table.ruleEnds(at: place) == grant.ruleEnds && table.rule(at: place) == grant.rule)
      }
    }
    #expect(table.keys.sorted() == model.keys.sorted())
    for (id, grant) in model { #expect(table[id].map(Form.init) == Form(grant)) }
  }

  /// A grant for comparing.
  private struct Form: Hashable {
    let numbers: [Int64]
    let rule: RuleReference
    let marks: [Bool]
    let former: [Grant.FormerAddress]

    init(_ grant: Grant) {
      rule = grant.rule
      former = grant.former
      marks = [
        grant.isStatic, grant.isRevoked, grant.isUnknown, grant.isHeld, grant.formerOverflowed, grant.name == nil,
        grant.isLimited,
      ]
      numbers = [
        Int64(grant.name ?? 0), Int64(grant.session), Int64(grant.changedIn), Int64(grant.leases), Int64(grant.flows),
        grant.ruleEnds?.nanoseconds ?? -1, grant.heldUntil?.nanoseconds ?? -1, grant.lingersUntil?.nanoseconds ?? -1,
      ]
    }
  }
}
