import DNSProxy

extension DNSReply {
  /// The same reply as a bare SERVFAIL: for when its evidence cannot be kept. Header and question stay, everything else goes (RFC 1035 §4.1.1).
  func asServerFailure() -> DNSReply {
    guard bytes.count >= 12 else { return self }
    var end = 12
    if bytes[4] == 0 && bytes[5] == 1 {
      while end < bytes.count, bytes[end] != 0, bytes[end] < 64 { end += 1 + Int(bytes[end]) }
      end += 5
    }
    guard end <= bytes.count else { return self }
    var failure = self
    failure.bytes = Array(bytes[..<end])
    // RCODE 2, and no truncation: there is nothing more to be had by TCP.
    failure.bytes[2] &= 0xfd
    failure.bytes[3] = failure.bytes[3] & 0xf0 | 2
    for index in 6..<12 { failure.bytes[index] = 0 }
    return failure
  }
}
