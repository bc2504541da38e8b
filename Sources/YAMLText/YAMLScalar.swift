import JSONText

/// What a plain text stands for.
enum YAMLScalar {
  /// The value, or why it has none that all readers agree on.
  static func resolve(_ text: String) -> Result<JSONValue, Ambiguity> {
    switch text {
    case "", "~", "null", "Null", "NULL": return .success(.null)
    case "true", "True", "TRUE": return .success(.bool(true))
    case "false", "False", "FALSE": return .success(.bool(false))
    default: break
    }
    switch text.lowercased() {
    case "yes", "no", "on", "off", "y", "n":
      return .failure(Ambiguity("'\(text)' is a boolean to some readers and a text to others; put it in quotes"))
    case ".inf", "+.inf", "-.inf", ".nan":
      return .failure(Ambiguity("'\(text)' is no number that JSON has; put it in quotes if it is a text"))
    default: break
    }
    let bytes = Array(text.utf8)
    guard bytes.contains(where: isDigit), bytes.allSatisfy(isNumeric) else { return .success(.string(text)) }
    return number(text, bytes)
  }

  struct Ambiguity: Error {
    var reason: String
    init(_ reason: String) { self.reason = reason }
  }

  private static func number(_ text: String, _ bytes: [UInt8]) -> Result<JSONValue, Ambiguity> {
    var digits = bytes[...]
    let isNegative = digits.first == 0x2d
    if isNegative || digits.first == 0x2b { digits = digits.dropFirst() }
    if let value = radix(digits) { return .success(.number(isNegative && value != 0 ? "-\(value)" : "\(value)")) }
    if digits.contains(0x5f) {
      let rest = digits.filter { $0 != 0x5f }
      guard decimal(rest[...]) != nil else { return .success(.string(text)) }
      return .failure(Ambiguity("'\(text)' is a number to some readers and a text to others; put it in quotes"))
    }
    guard let written = decimal(digits) else { return .success(.string(text)) }
    if digits.first == 0x30, digits.count > 1, digits.dropFirst().first.map(isDigit) == true {
      return .failure(
        Ambiguity("'\(text)' begins with a zero and is no octal number; put it in quotes if it is a text"))
    }
    return .success(.number((isNegative ? "-" : "") + written))
  }

  /// `0400` and `0o400`, `0x1f`, `0b101`: as Kubernetes' reader has them, which is YAML 1.1's way.
  private static func radix(_ digits: ArraySlice<UInt8>) -> UInt64? {
    guard digits.first == 0x30, digits.count > 1 else { return nil }
    let rest = String(decoding: digits.dropFirst(2), as: UTF8.self)
    guard !rest.hasPrefix("+"), !rest.hasPrefix("-") else { return nil }
    switch digits.dropFirst().first {
    case 0x78: return UInt64(rest, radix: 16)
    case 0x6f: return UInt64(rest, radix: 8)
    case 0x62: return UInt64(rest, radix: 2)
    default:
      guard digits.allSatisfy(isDigit) else { return nil }
      return UInt64(String(decoding: digits, as: UTF8.self), radix: 8)
    }
  }

  /// The same number in JSON's grammar (RFC 8259 §6); nil when it is none.
  private static func decimal(_ digits: ArraySlice<UInt8>) -> String? {
    var rest = digits
    let whole = rest.prefix(while: isDigit)
    rest = rest.dropFirst(whole.count)
    var fraction: ArraySlice<UInt8> = []
    if rest.first == 0x2e {
      rest = rest.dropFirst()
      fraction = rest.prefix(while: isDigit)
      rest = rest.dropFirst(fraction.count)
    }
    guard !whole.isEmpty || !fraction.isEmpty else { return nil }
    var text = whole.isEmpty ? "0" : String(decoding: whole, as: UTF8.self)
    if !fraction.isEmpty { text += "." + String(decoding: fraction, as: UTF8.self) }
    guard let mark = rest.first else { return text }
    guard mark == 0x65 || mark == 0x45 else { return nil }
    rest = rest.dropFirst()
    text += "e"
    if let sign = rest.first, sign == 0x2b || sign == 0x2d {
      if sign == 0x2d { text += "-" }
      rest = rest.dropFirst()
    }
    guard !rest.isEmpty, rest.allSatisfy(isDigit) else { return nil }
    return text + String(decoding: rest, as: UTF8.self)
  }

  private static func isDigit(_ octet: UInt8) -> Bool { (0x30...0x39).contains(octet) }

  /// Octets of which numbers consist in any of their spellings.
  private static func isNumeric(_ octet: UInt8) -> Bool {
    isDigit(octet) || (0x61...0x66).contains(octet) || (0x41...0x46).contains(octet)
      || [0x2b, 0x2d, 0x2e, 0x5f, 0x78, 0x6f].contains(octet)
  }
}
