import DNSWire
import Testing

@Suite struct NameEqualityTests {
  /// Every octet at every place of a label longer than what is compared at a time.
  @Test func onlyTheCaseOfASCIILettersIsIgnored() {
    for place in 0..<11 {
      for octet in UInt8.min...UInt8.max {
        for other in [octet, octet ^ 0x20, octet ^ 0x80, octet &+ 1] {
          let isSame = octet == other || letter(octet) != nil && letter(octet) == letter(other)
          let (left, right) = (name(octet, at: place), name(other, at: place))
          #expect((left == right) == isSame, "\(octet) and \(other) at \(place)")
          if isSame { #expect(left.hashValue == right.hashValue) }
        }
      }
    }
  }

  private func letter(_ octet: UInt8) -> UInt8? {
    switch octet {
    case 0x41...0x5a: octet + 0x20
    case 0x61...0x7a: octet
    default: nil
    }
  }

  private func name(_ octet: UInt8, at place: Int) -> DomainName {
    var label = [UInt8](repeating: 0x6d, count: 11)
    label[place] = octet
    return DomainName(checkedWire: [11] + label + [0])
  }
}
