import Timekeeping

/// The field `Retry-After`: RFC 9110 §10.2.3.
enum RetryAfter {
  /// Seconds, or a date in the preferred form (`Sun, 06 Nov 1994 08:49:37 GMT`, RFC 9110 §5.6.7); nil for anything
  /// else. A date gone by is zero.
  static func parse(_ text: String?, at now: WallTime) -> TimeSpan? {
    guard let bytes = text.map({ Array($0.utf8) }), !bytes.isEmpty else { return nil }
    if bytes.allSatisfy({ (0x30...0x39).contains($0) }) {
      // A day says as much as any longer number, and cannot overflow.
      let seconds = bytes.reduce(Int64(0)) { min($0 * 10 + Int64($1 - 0x30), 86_400) }
      return .seconds(seconds)
    }
    guard let date = parseDate(bytes) else { return nil }
    return max(date - now, .zero)
  }

  private static func parseDate(_ bytes: [UInt8]) -> WallTime? {
    guard bytes.count == 29 else { return nil }
    func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    guard text(3..<5) == ", ", text(7..<8) == " ", text(11..<12) == " ", text(16..<17) == " ", text(25..<29) == " GMT",
      let month = months.firstIndex(of: text(8..<11))
    else { return nil }
    let number = month < 9 ? "0\(month + 1)" : "\(month + 1)"
    return WallTime("\(text(12..<16))-\(number)-\(text(5..<7))T\(text(17..<25))Z")
  }
}
