import Firewall

/// A key's type as the kernel stores it for `nft` (the numbers are `enum datatypes` of nftables, include/datatype.h) and its length.
struct KeyType {
  let number: UInt32
  /// Octets in the kernel's register: parts of a concatenation are padded.
  let length: Int

  static let icmpv6Type = KeyType(number: 29, length: 1)
  static let mark = KeyPart.mark.type

  init(number: UInt32, length: Int) {
    self.number = number
    self.length = length
  }

  /// The type of a whole key: a concatenation takes six bits a part, the first highest.
  init(_ parts: [KeyPart]) {
    if parts.count == 1 {
      self = parts[0].type
    } else {
      number = parts.reduce(0) { $0 << 6 | $1.type.number }
      length = parts.reduce(0) { $0 + $1.paddedLength }
    }
  }
}

extension KeyPart {
  var type: KeyType {
    switch self {
    case .ipv4Address: KeyType(number: 7, length: length)
    case .ipv6Address: KeyType(number: 8, length: length)
    case .protocolNumber: KeyType(number: 12, length: length)
    case .port: KeyType(number: 13, length: length)
    case .mark: KeyType(number: 19, length: length)
    case .family: KeyType(number: 2, length: length)
    }
  }
}
