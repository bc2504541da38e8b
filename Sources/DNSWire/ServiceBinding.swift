/// The data of a SVCB or HTTPS record (RFC 9460 §2.2), and what is taken out of it before it reaches a client.
///
///    |                  SvcPriority                  |
///    /                  TargetName                   /  never compressed
///    |                  SvcParamKey                  |  ascending
///    |                 SvcParamLength                |
///    /                 SvcParamValue                 /
///
/// `ech` goes, so that the name of a connection stays visible. The address hints go too: a hint would hand out an
/// address that no lease covers, and a client without hints asks for A and AAAA, whose answers are leased (RFC 9460
/// §7.3: hints are an optimisation).
package enum ServiceBinding {
  private static let mandatory: UInt16 = 0
  /// ipv4hint, ech, ipv6hint (RFC 9460 §14.3.2).
  private static let removed: ClosedRange<UInt16> = 4...6

  /// Appends the data in `range` of `bytes` to `output` without the parameters above and without their keys in
  /// `mandatory`. True when something was removed. Throws when the data is malformed.
  static func appendRewritten(
    _ bytes: [UInt8], _ range: Range<Int>, to output: inout [UInt8]
  ) throws(WireError) -> Bool {
    guard range.count >= 3 else { throw WireError(.dataLength, at: range.lowerBound) }
    var at = try endOfName(bytes, at: range.lowerBound + 2, compressed: false)
    guard at <= range.upperBound else { throw WireError(.dataLength, at: range.lowerBound) }
    output.append(contentsOf: bytes[range.lowerBound..<at])
    var isChanged = false
    var keyMin = 0
    while at < range.upperBound {
      guard at + 4 <= range.upperBound else { throw WireError(.dataLength, at: at) }
      let key = word(bytes, at)
      let value = at + 4..<at + 4 + Int(word(bytes, at + 2))
      guard value.upperBound <= range.upperBound else { throw WireError(.dataLength, at: at) }
      guard Int(key) >= keyMin else { throw WireError(.parameterOrder, at: at) }
      keyMin = Int(key) + 1
      if key == mandatory {
        guard !value.isEmpty, value.count % 2 == 0 else { throw WireError(.dataLength, at: at) }
        var kept: [UInt8] = []
        for index in stride(from: value.lowerBound, to: value.upperBound, by: 2)
        where !removed.contains(word(bytes, index)) {
          kept.append(contentsOf: bytes[index..<index + 2])
        }
        isChanged = isChanged || kept.count != value.count
        if !kept.isEmpty {
          appendWord(key, to: &output)
          appendWord(UInt16(truncatingIfNeeded: kept.count), to: &output)
          output.append(contentsOf: kept)
        }
      } else if removed.contains(key) {
        isChanged = true
      } else {
        output.append(contentsOf: bytes[at..<value.upperBound])
      }
      at = value.upperBound
    }
    return isChanged
  }
}

/// Two octets in network order.
@inline(__always)
func appendWord(_ value: UInt16, to output: inout [UInt8]) {
  output.append(UInt8(truncatingIfNeeded: value >> 8))
  output.append(UInt8(truncatingIfNeeded: value))
}
