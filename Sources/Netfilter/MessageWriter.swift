/// Composes netlink messages into one array, which is used again and again.
///
/// A message (`struct nlmsghdr`, linux/netlink.h) is length, type, flags, sequence and port in host order, then for netfilter
/// `struct nfgenmsg` (family, version, resource in network order), then attributes: length and type in host order, the value, and
/// zeros up to a multiple of four. Numbers inside netfilter's attributes are big endian.
struct MessageWriter {
  private(set) var bytes: [UInt8] = []
  private var messageStart = 0

  /// A place in `bytes` whose length is written when the nest ends.
  struct Nest { fileprivate let start: Int }

  /// Forgets the messages, keeps the storage.
  mutating func removeAll() {
    bytes.removeAll(keepingCapacity: true)
    messageStart = 0
  }

  /// Octets of the message under construction.
  var messageLength: Int { bytes.count - messageStart }

  mutating func beginMessage(type: UInt16, flags: UInt16, sequence: UInt32, family: UInt8, resource: UInt16 = 0) {
    messageStart = bytes.count
    appendHostOrder(UInt32(0))
    appendHostOrder(type)
    appendHostOrder(flags)
    appendHostOrder(sequence)
    appendHostOrder(UInt32(0))
    bytes.append(family)
    bytes.append(UInt8(0))
    appendBigEndian(resource)
  }

  mutating func endMessage() { overwrite(UInt32(truncatingIfNeeded: messageLength), at: messageStart) }

  /// Adds flags to the last message, ended or not.
  mutating func addFlags(_ flags: UInt16) {
    let at = messageStart + NetlinkHeader.flagsOffset
    let now = UInt16(bigEndian: UInt16(bytes[at]) << 8 | UInt16(bytes[at + 1])) | flags
    overwrite(now, at: at)
  }

  /// The family of the message under construction, when it was not known at its beginning.
  mutating func setFamily(_ family: UInt8) { bytes[messageStart + NetlinkHeader.length] = family }

  /// Takes over a message that libnftnl composed, whole and padded.
  mutating func append(message: some Sequence<UInt8>) {
    messageStart = bytes.count
    bytes.append(contentsOf: message)
  }

  mutating func beginNest(_ type: UInt16) -> Nest {
    let nest = Nest(start: bytes.count)
    appendHostOrder(UInt16(0))
    appendHostOrder(type | NetlinkAttribute.nested)
    return nest
  }

  mutating func endNest(_ nest: Nest) {
    overwrite(UInt16(truncatingIfNeeded: bytes.count - nest.start), at: nest.start)
  }

  mutating func attribute(_ type: UInt16, bytes value: some Collection<UInt8>) {
    beginAttribute(type, length: value.count)
    bytes.append(contentsOf: value)
    pad()
  }

  /// Text with its terminating zero.
  mutating func attribute(_ type: UInt16, text: String) {
    beginAttribute(type, length: text.utf8.count + 1)
    bytes.append(contentsOf: text.utf8)
    bytes.append(0)
    pad()
  }

  mutating func attribute(_ type: UInt16, bigEndian number: some FixedWidthInteger & UnsignedInteger) {
    beginAttribute(type, length: number.bitWidth / 8)
    appendBigEndian(number)
    pad()
  }

  mutating func beginAttribute(_ type: UInt16, length: Int) {
    appendHostOrder(UInt16(truncatingIfNeeded: NetlinkAttribute.headerLength + length))
    appendHostOrder(type)
  }

  mutating func append(_ byte: UInt8) { bytes.append(byte) }
  mutating func append(raw value: some Collection<UInt8>) { bytes.append(contentsOf: value) }

  mutating func appendBigEndian<Number: FixedWidthInteger & UnsignedInteger>(_ number: Number) {
    var shift = Number.bitWidth - 8
    while shift >= 0 {
      bytes.append(UInt8(truncatingIfNeeded: number >> Number(truncatingIfNeeded: shift)))
      shift -= 8
    }
  }

  mutating func appendHostOrder(_ number: some FixedWidthInteger & UnsignedInteger) {
    appendBigEndian(number.bigEndian)
  }

  /// Zeros up to the next multiple of four.
  mutating func pad() {
    while bytes.count & 3 != 0 { bytes.append(0) }
  }

  private mutating func overwrite<Number: FixedWidthInteger & UnsignedInteger>(_ number: Number, at offset: Int) {
    let number = number.bigEndian
    for index in 0..<Number.bitWidth / 8 {
      let shift = Number(truncatingIfNeeded: Number.bitWidth - 8 * (index + 1))
      bytes[offset + index] = UInt8(truncatingIfNeeded: number >> shift)
    }
  }
}
