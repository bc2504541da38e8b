/// The octets of one record while they are written. Texts that may come from outside are made valid UTF-8, escaped and cut here and nowhere else.
struct RecordText: Sendable {
  /// The longest text of one member in its escaped form, in octets: five of them, the most that a kind has, and the rest stay below
  /// `AuditLog.recordOctetsMax`.
  static let textOctetsMax = 4_096
  /// The longest text that is the same in every record (names of pod, sandbox, revision), in octets: Kubernetes' longest name has 253.
  static let fixedTextOctetsMax = 256

  var octets: [UInt8] = []
  /// A text was cut.
  private(set) var isTruncated = false

  init() {}

  /// Starts anew and keeps the memory.
  mutating func clear() {
    octets.removeAll(keepingCapacity: true)
    isTruncated = false
  }

  /// Octets that are JSON already.
  mutating func append(_ rendered: [UInt8]) { octets.append(contentsOf: rendered) }

  /// A literal that is JSON already.
  mutating func append(_ rendered: String) { octets.append(contentsOf: rendered.utf8) }

  /// A single octet that is JSON already.
  mutating func append(_ octet: UInt8) { octets.append(octet) }

  /// Decimal digits (RFC 8259 §6).
  mutating func append(number: UInt64) {
    var low = octets.count
    var rest = number
    repeat {
      octets.append(0x30 + UInt8(truncatingIfNeeded: rest % 10))
      rest /= 10
    } while rest > 0
    var high = octets.count - 1
    while low < high {
      octets.swapAt(low, high)
      low += 1
      high -= 1
    }
  }

  /// A string in quotes (RFC 8259 §7).
  mutating func append(text: String, limit: Int = textOctetsMax) {
    octets.append(0x22)
    let start = octets.count
    octets.append(contentsOf: text.utf8)
    if octets.count - start > limit || needsEscape(from: start, over: 0xff) {
      octets.removeLast(octets.count - start)
      appendEscaped(text, limit: limit)
    }
    octets.append(0x22)
  }

  /// A string in quotes from octets that claim to be UTF-8; bad ones become U+FFFD.
  mutating func append(text: [UInt8], limit: Int = textOctetsMax) {
    octets.append(0x22)
    let start = octets.count
    octets.append(contentsOf: text)
    if octets.count - start > limit || needsEscape(from: start, over: 0x7f) {
      octets.removeLast(octets.count - start)
      appendEscaped(String(decoding: text, as: UTF8.self), limit: limit)
    }
    octets.append(0x22)
  }

  /// `,"Name":"text"`, or nothing when there is no text.
  mutating func append(_ name: [UInt8], text: String?) {
    guard let text else { return }
    append(name)
    append(text: text)
  }

  /// `,"Name":number`.
  mutating func append(_ name: [UInt8], number: UInt64) {
    append(name)
    append(number: number)
  }

  /// `,"Name":"text"`, or nothing when there is no text.
  mutating func append(_ name: String, text: String?) {
    guard let text else { return }
    append(name)
    append(text: text)
  }

  /// `,"Name":number`.
  mutating func append(_ name: String, number: UInt64) {
    append(name)
    append(number: number)
  }

  /// Whether what was written from there on is no JSON text as it stands, or has an octet over `most`. Looks at all of them: without a way out the loop takes many at once.
  private func needsEscape(from start: Int, over most: UInt8) -> Bool {
    let written = octets.span
    var found: UInt8 = 0
    for index in start..<written.count {
      let octet = written[index]
      found |= (octet < 0x20 ? 1 : 0) | (octet == 0x22 ? 1 : 0) | (octet == 0x5c ? 1 : 0) | (octet > most ? 1 : 0)
    }
    return found != 0
  }

  private mutating func appendEscaped(_ text: String, limit: Int) {
    let end = octets.count + limit
    for scalar in text.unicodeScalars {
      let start = octets.count
      switch scalar.value {
      case 0x22, 0x5c: octets += [0x5c, UInt8(truncatingIfNeeded: scalar.value)]
      case 0x0a: octets += [0x5c, 0x6e]
      case 0x0d: octets += [0x5c, 0x72]
      case 0x09: octets += [0x5c, 0x74]
      case ..<0x20:
        octets += [0x5c, 0x75, 0x30, 0x30]
        octets.append(hexDigit(UInt8(truncatingIfNeeded: scalar.value >> 4)))
        octets.append(hexDigit(UInt8(truncatingIfNeeded: scalar.value & 15)))
      default: octets.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
      }
      if octets.count > end {
        octets.removeLast(octets.count - start)
        isTruncated = true
        return
      }
    }
  }
}

/// `,"Name":`, made once for each member.
func memberName(_ name: String) -> [UInt8] { Array(",\"\(name)\":".utf8) }

/// One lower-case hexadecimal digit.
func hexDigit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x57 + value }
