/// Walks netlink attributes inside a range of a received datagram. Every length is checked against the range; what does not fit ends
/// the walk, so that any octets can be read.
struct AttributeReader {
  private var next: Int
  private let end: Int

  /// One attribute: its type without flag bits, and where its value is.
  struct Attribute {
    let type: UInt16
    let value: Range<Int>
  }

  /// `range` is cut to what `bytes` holds.
  init(_ range: Range<Int>, in bytes: borrowing Span<UInt8>) {
    next = min(max(range.lowerBound, 0), bytes.count)
    end = min(range.upperBound, bytes.count)
  }

  mutating func nextAttribute(in bytes: borrowing Span<UInt8>) -> Attribute? {
    guard end - next >= NetlinkAttribute.headerLength, let length = bytes.hostOrder16(at: next),
      let type = bytes.hostOrder16(at: next + 2)
    else { return nil }
    guard Int(length) >= NetlinkAttribute.headerLength, Int(length) <= end - next else { return nil }
    let value = next + NetlinkAttribute.headerLength..<next + Int(length)
    next = min(end, next + (Int(length) + 3) & ~3)
    return Attribute(type: type & NetlinkAttribute.typeMask, value: value)
  }
}

/// One message inside a datagram.
struct NetlinkMessage {
  let type: UInt16
  let flags: UInt16
  let sequence: UInt32
  /// What follows the header.
  let payload: Range<Int>

  /// The message at `offset`, and the offset of the next; nil at the end or when the header does not fit the datagram.
  static func read(at offset: inout Int, in bytes: borrowing Span<UInt8>, end: Int) -> NetlinkMessage? {
    let end = min(end, bytes.count)
    guard offset >= 0, end - offset >= NetlinkHeader.length, let length = bytes.hostOrder32(at: offset),
      length >= UInt32(NetlinkHeader.length), Int(length) <= end - offset,
      let type = bytes.hostOrder16(at: offset + 4), let flags = bytes.hostOrder16(at: offset + 6),
      let sequence = bytes.hostOrder32(at: offset + 8)
    else { return nil }
    let payload = offset + NetlinkHeader.length..<offset + Int(length)
    offset = min(end, offset + (Int(length) + 3) & ~3)
    return NetlinkMessage(type: type, flags: flags, sequence: sequence, payload: payload)
  }

  /// The attributes behind `struct nfgenmsg`.
  func attributes(in bytes: borrowing Span<UInt8>) -> AttributeReader {
    let start = min(payload.lowerBound + 4, payload.upperBound)
    return AttributeReader(start..<payload.upperBound, in: bytes)
  }

  /// The errno of an NLMSG_ERROR (zero: acknowledged) or NLMSG_DONE; nil when the message is too short to say.
  func errorCode(in bytes: borrowing Span<UInt8>) -> Int32? {
    guard payload.count >= 4, let number = bytes.hostOrder32(at: payload.lowerBound) else { return nil }
    let code = Int32(truncatingIfNeeded: number)
    return code < 0 && code > Int32.min ? -code : 0
  }

  /// `NLMSGERR_ATTR_MSG` of an NLMSG_ERROR, when the kernel sent one.
  func errorText(in bytes: borrowing Span<UInt8>) -> String? {
    // int error and the failed message's header, alone since NETLINK_CAP_ACK is set; then attributes.
    let start = payload.lowerBound + 4 + NetlinkHeader.length
    guard flags & NetlinkHeader.extendedAnswer != 0, start <= payload.upperBound else { return nil }
    var reader = AttributeReader(start..<payload.upperBound, in: bytes)
    while let attribute = reader.nextAttribute(in: bytes) {
      if attribute.type == NetlinkHeader.errorMessage { return bytes.text(attribute.value) }
    }
    return nil
  }
}

extension Span<UInt8> {
  func bigEndian16(at offset: Int) -> UInt16? {
    guard offset >= 0, count - offset >= 2 else { return nil }
    return UInt16(self[offset]) << 8 | UInt16(self[offset + 1])
  }

  func bigEndian32(at offset: Int) -> UInt32? {
    guard offset >= 0, count - offset >= 4 else { return nil }
    return UInt32(self[offset]) << 24 | UInt32(self[offset + 1]) << 16 | UInt32(self[offset + 2]) << 8
      | UInt32(self[offset + 3])
  }

  func bigEndian64(at offset: Int) -> UInt64? {
    guard let high = bigEndian32(at: offset), let low = bigEndian32(at: offset + 4) else { return nil }
    return UInt64(high) << 32 | UInt64(low)
  }

  func hostOrder16(at offset: Int) -> UInt16? { bigEndian16(at: offset).map { UInt16(bigEndian: $0) } }
  func hostOrder32(at offset: Int) -> UInt32? { bigEndian32(at: offset).map { UInt32(bigEndian: $0) } }

  /// Text up to a zero or the end of the range.
  func text(_ range: Range<Int>) -> String {
    var octets: [UInt8] = []
    for index in range.clamped(to: 0..<count) where self[index] != 0 { octets.append(self[index]) }
    return String(decoding: octets, as: UTF8.self)
  }

  /// A copy of the octets in a range.
  func array(_ range: Range<Int>) -> [UInt8] {
    var octets: [UInt8] = []
    let range = range.clamped(to: 0..<count)
    octets.reserveCapacity(range.count)
    for index in range { octets.append(self[index]) }
    return octets
  }
}
