import Addressing
import DNSWire

/// Which case of `PolicyTarget` a text is.
enum TargetKind: UInt8, Sendable {
  case name, wildcard, block, everything
}

extension PolicyTarget: CustomStringConvertible {
  /// The target as a document would write it, and nil when no document may; see `fault(in:)`.
  package init?(_ text: some StringProtocol) {
    guard case .valid(let kind) = checkTarget(Array(text.utf8)) else { return nil }
    self.init(kind: kind, text: String(text))
  }

  /// Why a document may not have this text as a target; nil when it may.
  package static func fault(in text: [UInt8]) -> String? {
    switch checkTarget(text) {
    case .valid: nil
    case .refused(let reason): reason
    }
  }

  /// `text` was checked to be of that kind.
  init?(kind: TargetKind, text: String) {
    switch kind {
    case .everything: self = .everything
    case .block:
      guard let block = CIDRBlock(text) else { return nil }
      self = .block(block)
    case .name:
      guard let name = DomainName(text) else { return nil }
      self = .name(name)
    case .wildcard:
      guard let name = DomainName(text.dropFirst(2)) else { return nil }
      self = .wildcard(name)
    }
  }

  var kind: TargetKind {
    switch self {
    case .name: .name
    case .wildcard: .wildcard
    case .block: .block
    case .everything: .everything
    }
  }

  /// The form in which two targets are compared: lower case, no trailing dot, addresses in their shortest form.
  package var description: String {
    switch self {
    case .name(let name): name.description
    case .wildcard(let name): "*.\(name)"
    case .block(let block): block.description
    case .everything: "*"
    }
  }
}

/// What became of a target's text.
enum TargetCheck {
  case valid(TargetKind)
  case refused(String)
}

/// The longest name as text, without the trailing dot: 255 octets on the wire less the first length octet and the root's (RFC 1035 §2.3.4).
private let nameTextMax = 253

/// Decides what a target's text is (contract §3). Strict, since a target that two readers understand differently is a hole, and one that never
/// matches is a trap.
func checkTarget(_ text: [UInt8]) -> TargetCheck {
  guard let first = text.first, let last = text.last, !text.allSatisfy(isBlank) else {
    return .refused("egress target cannot be empty")
  }
  if text == [0x2a] { return .valid(.everything) }
  if isBlank(first) || isBlank(last) { return .refused("white space around the target") }
  for octet in text where octet <= 0x20 || octet >= 0x7f {
    return .refused(
      octet >= 0x80
        ? "not ASCII: an internationalized name is given in its xn-- form"
        : "\(octet == 0x20 ? "a space" : "a control character") in the target")
  }
  if text.contains(0x2f) || text.contains(0x3a) { return checkBlock(text) }
  let isWildcard = text.starts(with: [0x2a, 0x2e])
  var name = text[(isWildcard ? 2 : 0)...]
  if name.last == 0x2e { name = name.dropLast() }
  if !isWildcard, isNumeric(lastLabel(of: name)) { return checkAddress(text) }
  if let fault = nameFault(name) { return .refused(fault) }
  guard isWildcard else {
    return name.count <= nameTextMax ? .valid(.name) : .refused("the name has more than \(nameTextMax) octets")
  }
  guard name.count + 2 <= nameTextMax else { return .refused("no name fits below this one") }
  let suffix = name.map(lowercased)
  if isNumeric(lastLabel(of: name)) { return .refused("a wildcard stands before a name, not before an address") }
  guard suffix.contains(0x2e), !isPublicSuffix(suffix) else {
    return .refused("a wildcard directly below the public suffix \"\(String(decoding: suffix, as: UTF8.self))\"")
  }
  return .valid(.wildcard)
}

private func checkBlock(_ text: [UInt8]) -> TargetCheck {
  if let (address, length) = CIDRBlock.parts(of: text.span) {
    guard let block = CIDRBlock(containing: address, prefixLength: length), block.first != address else {
      return .valid(.block)
    }
    return .refused("host bits are set: \(block) is the block")
  }
  let words = String(decoding: text, as: UTF8.self)
  if words.contains("://") { return .refused("a URL: the target is only its host") }
  if words.contains("/") { return .refused("not a CIDR block: ADDRESS/LENGTH, or a name without a path") }
  return .refused("not an IPv6 address; ports go into \"ports\"")
}

private func checkAddress(_ text: [UInt8]) -> TargetCheck {
  IPv4Address(octets: text.span) != nil
    ? .valid(.block) : .refused("an address has four decimal parts without leading zeros")
}

private func nameFault(_ name: ArraySlice<UInt8>) -> String? {
  var start = name.startIndex
  while true {
    let end = name[start...].firstIndex(of: 0x2e) ?? name.endIndex
    let label = name[start..<end]
    guard let first = label.first, let last = label.last else { return "an empty label" }
    for octet in label where !isLabelOctet(octet) {
      if octet == 0x2a { return "\"*\" stands only alone in front: *.example.com" }
      return "\"\(Character(Unicode.Scalar(octet)))\" in a name: labels are letters, digits, hyphens and underscores"
    }
    guard label.count <= DomainName.labelLengthMax else {
      return "a label has more than \(DomainName.labelLengthMax) octets"
    }
    if first == 0x2d || last == 0x2d { return "a label begins or ends with a hyphen" }
    if end == name.endIndex { return nil }
    start = end + 1
  }
}

private func lastLabel(of name: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
  name[((name.lastIndex(of: 0x2e) ?? name.startIndex - 1) + 1)...]
}

/// What browsers and inet_aton read as a number; a name that ends in one is an address to them (WHATWG URL, "ends in a number").
private func isNumeric(_ label: ArraySlice<UInt8>) -> Bool {
  guard !label.isEmpty else { return false }
  if label.allSatisfy({ $0 &- 0x30 < 10 }) { return true }
  guard label.first == 0x30, label.count >= 2, lowercased(label[label.startIndex + 1]) == 0x78 else { return false }
  return label.dropFirst(2).allSatisfy { $0 &- 0x30 < 10 || lowercased($0) &- 0x61 < 6 }
}

private func isLabelOctet(_ octet: UInt8) -> Bool {
  octet &- 0x30 < 10 || lowercased(octet) &- 0x61 < 26 || octet == 0x2d || octet == 0x5f
}

/// What OpenSandbox trims and we do not: two spellings of one target would be two targets to somebody.
func isBlank(_ octet: UInt8) -> Bool { octet == 0x20 || (0x09...0x0d).contains(octet) }
