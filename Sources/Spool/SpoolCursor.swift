/// How far deliveries were acknowledged, as the cursor file holds it; see the head of the module.
struct SpoolCursor: Hashable {
  static let fileName = "cursor"
  /// Octets of the file: two slots, each in a page of its own, so that one torn page leaves the other.
  static let fileBytes = slotDistance + slotBytes
  static let slotDistance = 4096
  static let slotBytes = 64
  static let magic = Array("SALLYCUR".utf8)
  static let version: UInt32 = 1

  /// Rises by one with every acknowledgement written; its lowest bit is the slot.
  var generation: UInt64
  /// Every record that ends here or before was acknowledged.
  var position: SpoolPosition
  /// Of the last acknowledged record.
  var boot: SpoolBoot
  var sequence: UInt64

  var slotOffset: Int { Int(generation & 1) * Self.slotDistance }

  func compose() -> [UInt8] {
    var bytes = Self.magic
    LittleEndian.append(Self.version, to: &bytes)
    LittleEndian.append(generation, to: &bytes)
    LittleEndian.append(position.segment, to: &bytes)
    LittleEndian.append(UInt64(truncatingIfNeeded: position.offset), to: &bytes)
    bytes += boot.bytes
    LittleEndian.append(sequence, to: &bytes)
    LittleEndian.append(CRC32C.checksum(bytes, 0..<bytes.count), to: &bytes)
    return bytes
  }

  /// The newer of the slots that are whole, and whether the other one is whole too, or was never written.
  static func parse(_ file: [UInt8]) -> (cursor: SpoolCursor?, isIntact: Bool) {
    let slots = [parseSlot(file, at: 0), parseSlot(file, at: slotDistance)].compactMap { $0 }
    guard let newest = slots.max(by: { $0.generation < $1.generation }) else { return (nil, false) }
    // The first write ever, generation 1, leaves the first slot a hole.
    let isFirst = newest.generation == 1 && file.prefix(slotBytes).allSatisfy { $0 == 0 }
    return (newest, slots.count == 2 || isFirst)
  }

  private static func parseSlot(_ file: [UInt8], at start: Int) -> SpoolCursor? {
    guard file.count >= start + slotBytes else { return nil }
    let slot = Array(file[start..<start + slotBytes])
    guard slot[..<8].elementsEqual(magic), LittleEndian.word32(slot, at: 8) == version,
      LittleEndian.word32(slot, at: 60) == CRC32C.checksum(slot, 0..<60), let boot = SpoolBoot(slot[36..<52]),
      LittleEndian.word64(slot, at: 20) < SegmentName.numbersEnd,
      let offset = Int(exactly: LittleEndian.word64(slot, at: 28))
    else { return nil }
    let cursor = SpoolCursor(
      generation: LittleEndian.word64(slot, at: 12),
      position: SpoolPosition(segment: LittleEndian.word64(slot, at: 20), offset: offset), boot: boot,
      sequence: LittleEndian.word64(slot, at: 52))
    return cursor.slotOffset == start ? cursor : nil
  }
}
