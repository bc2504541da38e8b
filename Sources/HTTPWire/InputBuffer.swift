/// Octets received and not yet read. Lines are found by looking at each octet once, however they were cut into pieces.
struct InputBuffer: Sendable {
  private(set) var octets: [UInt8] = []
  /// Where the unread octets begin.
  private var start = 0
  /// Where the search for the end of the current line goes on.
  private var scan = 0

  /// A buffer that once grew over this is given back when it is empty: a kept-alive connection should not keep 8 MiB.
  private static let keptCapacityMax = 64 * 1024

  var count: Int { octets.count - start }
  var isEmpty: Bool { count == 0 }

  mutating func append(_ more: [UInt8]) {
    if start > 0 && start >= octets.count / 2 { compact() }
    octets += more
  }

  /// The next line without its CR LF, or nil when its end has not come. RFC 9112 §2.2 lets a recipient take a bare LF for a line end; another
  /// recipient on the path may not, so here it is a fault, like a bare CR.
  ///
  /// - Parameter limit: most octets of the line; more is the fault `tooLong`.
  mutating func line(limit: Int, tooLong: HTTPFault) throws(HTTPFault) -> ArraySlice<UInt8>? {
    while scan < octets.count {
      let octet = octets[scan]
      if octet == 0x0a { throw HTTPFault(400, "line feed without carriage return") }
      if octet == 0x0d {
        guard scan + 1 < octets.count else { return nil }
        guard octets[scan + 1] == 0x0a else { throw HTTPFault(400, "carriage return without line feed") }
        let line = octets[start..<scan]
        start = scan + 2
        scan = start
        return line
      }
      if scan - start >= limit { throw tooLong }
      scan += 1
    }
    return nil
  }

  /// Moves up to `limit` octets to the end of `body` and says how many.
  mutating func move(_ limit: Int, to body: inout [UInt8]) -> Int {
    let taken = min(limit, count)
    body += octets[start..<(start + taken)]
    start += taken
    scan = start
    if isEmpty { compact() }
    return taken
  }

  /// Forgets what was read.
  mutating func compact() {
    if isEmpty {
      octets.removeAll(keepingCapacity: octets.capacity <= Self.keptCapacityMax)
    } else {
      octets.removeSubrange(..<start)
    }
    scan -= start
    start = 0
  }
}
