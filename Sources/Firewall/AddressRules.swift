import Addressing
import EgressPolicy

/// The policy's rules about addresses as elements of the interval maps, and of the exact one where it is about one port of one address.
struct AddressRules: Sendable {
  /// Which map an element belongs to, in the order in which they are written.
  static let sets: [SetName] = [.block4, .block6, .block4Port, .block6Port, .block4Exact, .block6Exact]

  var plan: [AddressPlanEntry] = []
  /// One array a set of `sets`, in the plan's order.
  var elements: [[SetElement]] = Array(repeating: [], count: sets.count)

  init() {}

  /// `mark` gives the grant of an allowing rule, the deny mark of a denying one.
  init(_ plan: [AddressPlanEntry], mark: (RuleReference) -> UInt32) {
    self.plan = plan
    for entry in plan {
      let family = entry.first.isIPv4 ? 0 : 1
      let first = entry.first.bytes
      let last = entry.last.bytes
      // What holds for protocols without ports goes where no port is looked at; all other ports are named before it.
      var plainMark = FlowMark.deniedByDefault
      for verdict in entry.verdicts where verdict.ports.otherProtocols { plainMark = mark(verdict.rule) }
      if plainMark != FlowMark.deniedByDefault {
        elements[family].append(SetElement([first], last: [last], mark: plainMark))
      }
      for verdict in entry.verdicts {
        let mark = mark(verdict.rule)
        guard mark != plainMark else { continue }
        for (transport, ranges) in [(TransportProtocol.tcp, verdict.ports.tcp), (.udp, verdict.ports.udp)] {
          for range in ranges {
            let service: ElementValues = [first, [transport.rawValue], bigEndianBytes(range.lowerBound)]
            guard first != last || range.count > 1 else {
              elements[4 + family].append(SetElement(service, mark: mark))
              continue
            }
            elements[2 + family].append(
              SetElement(
                service,
                last: [last, [transport.rawValue], bigEndianBytes(range.upperBound)], mark: mark))
          }
        }
      }
    }
  }

  /// Goes through the permissions of the old plan, cut where the new one changes, with what the new one says there.
  static func compare(
    _ old: [AddressPlanEntry], with new: [AddressPlanEntry],
    _ judged: (
      _ verdict: PortVerdict, _ first: IPAddress, _ last: IPAddress, _ now: AddressPlanEntry?
    ) -> Void
  ) {
    var index = 0
    for entry in old {
      while index < new.count, new[index].last < entry.first { index += 1 }
      var at: IPAddress? = entry.first
      var next = index
      while let first = at {
        var last = entry.last
        var found: AddressPlanEntry?
        if next < new.count, new[next].first <= entry.last {
          if new[next].first <= first {
            last = min(entry.last, new[next].last)
            found = new[next]
            next += 1
          } else if let before = new[next].first.previous {
            last = before
          }
        }
        for verdict in entry.verdicts where verdict.rule.action == .allow {
          judged(verdict, first, last, found)
        }
        at = last < entry.last ? last.next : nil
      }
    }
  }
}

extension AddressPlanEntry {
  /// The ports that any rule allows.
  var allowed: PortSet {
    verdicts.reduce(.nothing) { $1.rule.action == .allow ? $0.union($1.ports) : $0 }
  }
}

extension IPAddress {
  /// The address after this one in its family; nil for the last.
  var next: IPAddress? {
    switch self {
    case .v4(let address):
      return address.bits == .max ? nil : .v4(IPv4Address(bits: address.bits + 1))
    case .v6(let address):
      if address.low != .max { return .v6(IPv6Address(high: address.high, low: address.low + 1)) }
      return address.high == .max ? nil : .v6(IPv6Address(high: address.high + 1, low: 0))
    }
  }

  /// The address before this one in its family; nil for the first.
  var previous: IPAddress? {
    switch self {
    case .v4(let address):
      return address.bits == 0 ? nil : .v4(IPv4Address(bits: address.bits - 1))
    case .v6(let address):
      if address.low != 0 { return .v6(IPv6Address(high: address.high, low: address.low - 1)) }
      return address.high == 0 ? nil : .v6(IPv6Address(high: address.high - 1, low: .max))
    }
  }
}
