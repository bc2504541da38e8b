import Addressing

/// A set of destination ports: of TCP, of UDP, and whether protocols without ports belong to it. One reference in size: every lease has one.
package struct PortSet: Hashable, Sendable {
  private final class Storage: Sendable {
    let tcp: [ClosedRange<UInt16>]
    let udp: [ClosedRange<UInt16>]
    let otherProtocols: Bool
    let isEverything: Bool

    init(_ tcp: [ClosedRange<UInt16>], _ udp: [ClosedRange<UInt16>], _ otherProtocols: Bool) {
      self.tcp = tcp
      self.udp = udp
      self.otherProtocols = otherProtocols
      isEverything = otherProtocols && tcp == [0...65535] && udp == [0...65535]
    }
  }

  private let storage: Storage

  package static let everything = PortSet(tcp: [0...65535], udp: [0...65535], otherProtocols: true)
  package static let nothing = PortSet(tcp: [], udp: [], otherProtocols: false)

  package init(tcp: [ClosedRange<UInt16>], udp: [ClosedRange<UInt16>], otherProtocols: Bool) {
    storage = Storage(normalized(tcp), normalized(udp), otherProtocols)
  }

  /// Sorted, disjoint, not adjacent.
  package var tcp: [ClosedRange<UInt16>] { storage.tcp }
  /// Sorted, disjoint, not adjacent.
  package var udp: [ClosedRange<UInt16>] { storage.udp }
  /// ICMP, SCTP and everything else.
  package var otherProtocols: Bool { storage.otherProtocols }
  package var isEverything: Bool { storage.isEverything }

  package static func == (left: Self, right: Self) -> Bool {
    left.storage === right.storage
      || left.tcp == right.tcp && left.udp == right.udp && left.otherProtocols == right.otherProtocols
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(tcp)
    hasher.combine(udp)
    hasher.combine(otherProtocols)
  }
  package var isEmpty: Bool { tcp.isEmpty && udp.isEmpty && !otherProtocols }

  package func contains(port: UInt16, of transport: TransportProtocol) -> Bool {
    switch transport {
    case .tcp: tcp.contains { $0.contains(port) }
    case .udp: udp.contains { $0.contains(port) }
    default: otherProtocols
    }
  }

  package func subtracting(_ other: PortSet) -> PortSet {
    PortSet(
      tcp: EgressPolicy.subtracting(tcp, other.tcp), udp: EgressPolicy.subtracting(udp, other.udp),
      otherProtocols: otherProtocols && !other.otherProtocols)
  }

  package func intersection(_ other: PortSet) -> PortSet { subtracting(subtracting(other)) }

  package func union(_ other: PortSet) -> PortSet {
    PortSet(tcp: tcp + other.tcp, udp: udp + other.udp, otherProtocols: otherProtocols || other.otherProtocols)
  }
}

private func normalized(_ ranges: [ClosedRange<UInt16>]) -> [ClosedRange<UInt16>] {
  var result: [ClosedRange<UInt16>] = []
  for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
    if let last = result.last, Int(range.lowerBound) <= Int(last.upperBound) + 1 {
      result[result.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
    } else {
      result.append(range)
    }
  }
  return result
}

/// Both sorted and disjoint.
private func subtracting(_ ranges: [ClosedRange<UInt16>], _ others: [ClosedRange<UInt16>]) -> [ClosedRange<UInt16>] {
  var result: [ClosedRange<UInt16>] = []
  for range in ranges {
    var low = Int(range.lowerBound)
    let high = Int(range.upperBound)
    for other in others where Int(other.upperBound) >= low && Int(other.lowerBound) <= high {
      if Int(other.lowerBound) > low { result.append(UInt16(low)...(other.lowerBound - 1)) }
      low = Int(other.upperBound) + 1
    }
    if low <= high { result.append(UInt16(low)...UInt16(high)) }
  }
  return result
}
