/// DNS over TCP (RFC 7766 §8): two octets of length before each message, wherever the stream is cut.
struct DNSStreamReader {
  private var pending: [UInt8] = []
  private var start = 0

  /// Nothing of a message has come yet.
  var isIdle: Bool { start == pending.count }

  mutating func receive(_ octets: [UInt8]) {
    if start > 0 {
      pending.removeFirst(start)
      start = 0
    }
    pending += octets
  }

  /// The next whole message.
  mutating func next() -> [UInt8]? {
    guard pending.count - start >= 2 else { return nil }
    let length = Int(pending[start]) << 8 | Int(pending[start + 1])
    guard pending.count - start - 2 >= length else { return nil }
    defer { start += 2 + length }
    return Array(pending[start + 2..<start + 2 + length])
  }
}

/// The message with its length before it.
func framed(_ message: [UInt8]) -> [UInt8] {
  [UInt8(truncatingIfNeeded: message.count >> 8), UInt8(truncatingIfNeeded: message.count)] + message
}
