/// What a descriptor in the epoll set is; its number comes back with each event.
enum Token: Hashable {
  case signals
  case conntrack
  case ruleset
  /// The pod's own addresses changed.
  case addresses
  case storage
  case delivery
  /// Something changed in a watched directory.
  case files
  /// A watched file was read.
  case reading
  case secondSink
  /// The webhook was told, or not.
  case notices
  case dnsDatagrams(Int)
  case dnsListener(Int)
  case apiListener(Int)
  /// Connections are numbered from 1 and never reused.
  case dnsStream(UInt64)
  case apiStream(UInt64)
  case upstreamStream(UInt64)
  /// Slot and upstream of a socket, and which of its generations.
  case upstreamDatagrams(UInt64)
  /// The files that the owner's proof needs.
  case ownerFiles
  case tokenExchange

  private var kind: (UInt64, UInt64) {
    switch self {
    case .signals: (1, 0)
    case .conntrack: (2, 0)
    case .storage: (3, 0)
    case .delivery: (4, 0)
    case .dnsDatagrams(let index): (5, UInt64(index))
    case .dnsListener(let index): (6, UInt64(index))
    case .apiListener(let index): (7, UInt64(index))
    case .dnsStream(let number): (8, number)
    case .apiStream(let number): (9, number)
    case .upstreamStream(let number): (10, number)
    case .upstreamDatagrams(let number): (11, number)
    case .ruleset: (12, 0)
    case .ownerFiles: (13, 0)
    case .files: (14, 0)
    case .reading: (15, 0)
    case .secondSink: (16, 0)
    case .notices: (17, 0)
    case .tokenExchange: (18, 0)
    case .addresses: (19, 0)
    }
  }

  /// Eight bits of kind and 56 of number.
  var rawValue: UInt64 { kind.0 << 56 | kind.1 & 0xff_ffff_ffff_ffff }

  init?(rawValue: UInt64) {
    let number = rawValue & 0xff_ffff_ffff_ffff
    switch rawValue >> 56 {
    case 1: self = .signals
    case 2: self = .conntrack
    case 3: self = .storage
    case 4: self = .delivery
    case 5: self = .dnsDatagrams(Int(number))
    case 6: self = .dnsListener(Int(number))
    case 7: self = .apiListener(Int(number))
    case 8: self = .dnsStream(number)
    case 9: self = .apiStream(number)
    case 10: self = .upstreamStream(number)
    case 11: self = .upstreamDatagrams(number)
    case 12: self = .ruleset
    case 13: self = .ownerFiles
    case 14: self = .files
    case 15: self = .reading
    case 16: self = .secondSink
    case 17: self = .notices
    case 18: self = .tokenExchange
    case 19: self = .addresses
    default: return nil
    }
  }
}
