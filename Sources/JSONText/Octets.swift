// What reader and writer both need to know of octets.

func isDigit(_ octet: UInt8) -> Bool { octet &- 0x30 < 10 }

func hexadecimalValue(_ octet: UInt8) -> UInt8? {
  switch octet {
  case 0x30...0x39: octet - 0x30
  case 0x41...0x46: octet - 0x37
  case 0x61...0x66: octet - 0x57
  default: nil
  }
}

/// The digit of a value below 16, in lower case.
func hexadecimalDigit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x57 + value }

/// `0x0a`, for error texts.
func hexadecimalText(_ octet: UInt8) -> String {
  "0x" + String(decoding: [hexadecimalDigit(octet >> 4), hexadecimalDigit(octet & 15)], as: UTF8.self)
}

/// Octets of the well-formed UTF-8 sequence that begins here (Unicode table 3-7); nil when none does.
func utf8Length(_ bytes: borrowing Span<UInt8>, at index: Int) -> Int? {
  let first = bytes[index]
  let length: Int
  var second: ClosedRange<UInt8> = 0x80...0xbf
  switch first {
  case 0...0x7f: return 1
  case 0xc2...0xdf: length = 2
  case 0xe0: (length, second) = (3, 0xa0...0xbf)
  case 0xed: (length, second) = (3, 0x80...0x9f)
  case 0xe1...0xef: length = 3
  case 0xf0: (length, second) = (4, 0x90...0xbf)
  case 0xf1...0xf3: length = 4
  case 0xf4: (length, second) = (4, 0x80...0x8f)
  default: return nil
  }
  guard bytes.count - index >= length, second.contains(bytes[index + 1]) else { return nil }
  var at = 2
  while at < length {
    guard bytes[index + at] & 0xc0 == 0x80 else { return nil }
    at += 1
  }
  return length
}

func utf8Length(_ bytes: [UInt8], at index: Int) -> Int? { utf8Length(bytes.span, at: index) }
