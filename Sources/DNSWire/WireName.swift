// Names where they stand in a message (RFC 1035 §4.1.4): checked once when the message is parsed, then walked and
// compared in place.

/// The octet after the name at `start`, all of it checked: label types, length, and pointers that go strictly
/// backwards.
func endOfName(_ bytes: [UInt8], at start: Int, compressed: Bool = true) throws(WireError) -> Int {
  var at = start
  // Where the present run of labels began: a pointer must go before it, so that every jump shortens what is left to
  // visit.
  var runStart = start
  var end: Int?
  var length = 0
  while true {
    guard at < bytes.count else { throw WireError(.endsEarly, at: at) }
    let octet = bytes[at]
    if octet == 0 { return end ?? at + 1 }
    if octet < 0x40 {
      length += 1 + Int(octet)
      guard length < DomainName.wireLengthMax else { throw WireError(.nameTooLong, at: at) }
      at += 1 + Int(octet)
      continue
    }
    guard octet >= 0xc0 else { throw WireError(.labelType, at: at) }
    guard compressed else { throw WireError(.dataCompressed, at: at) }
    guard at + 1 < bytes.count else { throw WireError(.endsEarly, at: at + 1) }
    let target = Int(word(bytes, at) & 0x3fff)
    guard target < runStart, target >= Header.length else { throw WireError(.pointerForward, at: at) }
    end = end ?? at + 2
    runStart = target
    at = target
  }
}

/// Where the next label's length octet is, once pointers are followed. The name was checked by `endOfName`.
@inline(__always)
func firstLabel(_ bytes: [UInt8], _ at: Int) -> Int {
  var at = at
  while bytes[at] >= 0xc0 { at = Int(word(bytes, at) & 0x3fff) }
  return at
}

/// The uncompressed name at a checked offset, appended to `output` in wire form, the root's zero octet included.
func appendName(_ bytes: [UInt8], at start: Int, to output: inout [UInt8]) {
  var at = firstLabel(bytes, start)
  while bytes[at] != 0 {
    let next = at + 1 + Int(bytes[at])
    output.append(contentsOf: bytes[at..<next])
    at = firstLabel(bytes, next)
  }
  output.append(0)
}

/// Whether the names at two checked offsets are equal, ASCII case ignored (RFC 4343). The octets may be of different
/// messages.
func namesAreEqual(_ left: [UInt8], _ leftStart: Int, _ right: [UInt8], _ rightStart: Int) -> Bool {
  var a = firstLabel(left, leftStart)
  var b = firstLabel(right, rightStart)
  while true {
    let length = left[a]
    guard length == right[b] else { return false }
    if length == 0 { return true }
    for index in 1...Int(length) where lowercased(left[a + index]) != lowercased(right[b + index]) { return false }
    a = firstLabel(left, a + 1 + Int(length))
    b = firstLabel(right, b + 1 + Int(length))
  }
}
