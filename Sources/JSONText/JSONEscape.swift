/// Appends `text` to `output` as the inside of a JSON string, without quotes: what the grammar demands is escaped (RFC 8259 §7), nothing else,
/// and octets that are no UTF-8 become U+FFFD, one for each maximal part of a sequence as the Unicode standard (§3.9) has it.
package func appendEscaped(_ text: [UInt8], to output: inout [UInt8]) { appendEscaped(text.span, to: &output) }

func appendEscaped(_ text: borrowing Span<UInt8>, to output: inout [UInt8]) {
  let contents = StringContents(text)
  // Sized first and then stored by index: appending octet by octet costs three times as much.
  let start = output.count
  guard !contents.hasControl, !contents.hasHigh else {
    output.append(contentsOf: repeatElement(0, count: escapedLength(text)))
    var target = output.mutableSpan
    return escape(text, to: &target, at: start)
  }
  output.append(contentsOf: repeatElement(0, count: 2 * text.count))
  let end = escapeQuotes(text, to: &output, at: start)
  output.removeLast(output.count - end)
}

/// Text of which only quotes and backslashes need an escape; returns where it ends. Without a branch, since where a quote stands cannot be predicted.
private func escapeQuotes(_ text: borrowing Span<UInt8>, to output: inout [UInt8], at start: Int) -> Int {
  var at = start
  var target = output.mutableSpan
  for index in text.indices {
    let octet = text[index]
    let extra = octet == 0x22 || octet == 0x5c ? 1 : 0
    target[at] = 0x5c
    target[at &+ extra] = octet
    at = at &+ 1 &+ extra
  }
  return at
}

/// What a text holds that matters for writing it.
struct StringContents {
  private let flags: UInt8

  /// No early exit and one octet of state: the loop then runs many octets at a time.
  init(_ text: borrowing Span<UInt8>) {
    var flags: UInt8 = 0
    for index in text.indices {
      let octet = text[index]
      flags |= (octet < 0x20 ? 1 : 0) | (octet == 0x22 ? 2 : 0) | (octet == 0x5c ? 2 : 0) | (octet & 0x80)
    }
    self.flags = flags
  }

  /// Quotes or backslashes.
  var hasQuotes: Bool { flags & 2 != 0 }
  /// Control characters, which need an escape.
  var hasControl: Bool { flags & 1 != 0 }
  /// Octets above ASCII, which may be no UTF-8.
  var hasHigh: Bool { flags & 0x80 != 0 }
}

private func escape(_ text: borrowing Span<UInt8>, to target: inout MutableSpan<UInt8>, at start: Int) {
  var at = start
  var index = 0
  while index < text.count {
    let octet = text[index]
    index += 1
    switch octet {
    case 0x22, 0x5c:
      target[at] = 0x5c
      target[at + 1] = octet
      at += 2
    case 0..<0x20:
      target[at] = 0x5c
      let letter = shortEscape(octet)
      if letter != 0 {
        target[at + 1] = letter
        at += 2
      } else {
        target[at + 1] = 0x75
        target[at + 2] = 0x30
        target[at + 3] = 0x30
        target[at + 4] = hexadecimalDigit(octet >> 4)
        target[at + 5] = hexadecimalDigit(octet & 15)
        at += 6
      }
    case 0x80...:
      index -= 1
      if let length = utf8Length(text, at: index) {
        for offset in 0..<length { target[at + offset] = text[index + offset] }
        at += length
        index += length
      } else {
        target[at] = 0xef
        target[at + 1] = 0xbf
        target[at + 2] = 0xbd
        at += 3
        index += maximalPart(text, at: index)
      }
    default:
      target[at] = octet
      at += 1
    }
  }
}

private func escapedLength(_ text: borrowing Span<UInt8>) -> Int {
  var length = 0
  var index = 0
  while index < text.count {
    let octet = text[index]
    if octet >= 0x80 {
      if let sequence = utf8Length(text, at: index) {
        length += sequence
        index += sequence
      } else {
        length += 3
        index += maximalPart(text, at: index)
      }
      continue
    }
    length += octet >= 0x20 ? (octet == 0x22 || octet == 0x5c ? 2 : 1) : (shortEscape(octet) != 0 ? 2 : 6)
    index += 1
  }
  return length
}

/// Octets of an ill-formed sequence that one U+FFFD stands for: the longest beginning of a well-formed one, else one.
private func maximalPart(_ text: borrowing Span<UInt8>, at index: Int) -> Int {
  let second: ClosedRange<UInt8>
  let length: Int
  switch text[index] {
  case 0xe0: (length, second) = (3, 0xa0...0xbf)
  case 0xed: (length, second) = (3, 0x80...0x9f)
  case 0xe1...0xef: (length, second) = (3, 0x80...0xbf)
  case 0xf0: (length, second) = (4, 0x90...0xbf)
  case 0xf1...0xf3: (length, second) = (4, 0x80...0xbf)
  case 0xf4: (length, second) = (4, 0x80...0x8f)
  default: return 1
  }
  guard index + 1 < text.count, second.contains(text[index + 1]) else { return 1 }
  guard length == 4, index + 2 < text.count, text[index + 2] & 0xc0 == 0x80 else { return 2 }
  return 3
}

/// The letter of a two-character escape, 0 when there is none.
private func shortEscape(_ octet: UInt8) -> UInt8 {
  switch octet {
  case 0x08: 0x62
  case 0x09: 0x74
  case 0x0a: 0x6e
  case 0x0c: 0x66
  case 0x0d: 0x72
  default: 0
  }
}
