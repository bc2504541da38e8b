import FlowAudit
import JSONText

/// Why a line is no record.
package struct LineFault: Error, Hashable, Sendable, CustomStringConvertible {
  package let description: String

  package init(_ description: String) { self.description = description }
}

/// One line as far as the proof needs it.
struct AuditLine: Sendable {
  /// The longest boot id or sandbox id, in octets: ours have 32 and at most 256.
  static let nameOctetsMax = 256

  /// A `RecordsDropped`: these numbers are answered for.
  struct Dropped: Hashable, Sendable {
    /// Nil: of the boot that says so.
    var boot: String?
    /// Nil when what is missing never had numbers.
    var sequences: ClosedRange<UInt64>?
    var count: UInt64
    var reason: String
    /// What is missing is flows, `allowed` or `denied` ones, that the kernel counted.
    var flows: String?
  }

  /// The text of `SbxChain`.
  let link: [UInt8]
  /// The line without its link, as the hash covers it.
  let rest: [UInt8]
  let sequence: UInt64
  let boot: String
  let sandbox: String
  let uniqueID: Halves
  /// Nil for a kind of a later version.
  let kind: RecordKind?
  /// `EventCount`.
  let count: UInt64
  let isInbound: Bool
  /// Lived already at the start of its boot.
  let isAdopted: Bool
  /// The daemon's own.
  let isOwn: Bool
  /// `SbxPrevBootId` and `SbxPrevLastSeq`.
  let previous: (boot: String, last: UInt64?)?
  let dropped: Dropped?

  /// One JSON object, without the newline.
  init(_ bytes: [UInt8]) throws(LineFault) {
    guard let split = RecordChain.split(bytes), let canonical = Halves(base64URL: split.link) else {
      // The fault of what is no JSON at all says more.
      _ = try Self.members(of: bytes)
      throw LineFault("no record: it does not begin with SbxChain and its 22 letters")
    }
    _ = canonical
    link = split.link
    rest = split.rest
    let members = try Self.members(of: bytes)
    func text(_ name: String) throws(LineFault) -> String {
      guard let value = members[name] else { throw LineFault("no record: \(name) is missing") }
      guard value.isText, !value.text.isEmpty, value.text.utf8.count <= Self.nameOctetsMax else {
        throw LineFault("\(name) is no text of 1 to \(Self.nameOctetsMax) octets")
      }
      return value.text
    }
    func number(_ name: String) throws(LineFault) -> UInt64? {
      guard let value = members[name] else { return nil }
      guard !value.isText, let number = UInt64(value.text) else { throw LineFault("\(name) is no whole number") }
      return number
    }
    boot = try text("SbxBootId")
    sandbox = try text("SbxSandboxId")
    let kindText = try text("SbxRecordKind")
    kind = RecordKind(rawValue: kindText)
    guard let found = try number("SbxSeq") else { throw LineFault("no record: SbxSeq is missing") }
    guard found > 0 else { throw LineFault("SbxSeq is 0; numbers begin with 1") }
    sequence = found
    guard let id = Halves(uuid: try text("EventOriginalUid")) else { throw LineFault("EventOriginalUid is no UUID") }
    uniqueID = id
    count = try number("EventCount") ?? 1
    isInbound = members["NetworkDirection"]?.text == "Inbound"
    isAdopted = members["Origin"]?.text == "Adopted"
    isOwn = members["SbxOwnFlow"]?.text == "true"
    let last = try number("SbxPrevLastSeq")
    previous = members["SbxPrevBootId"].map { ($0.text, last) }
    guard kind == .recordsDropped else {
      dropped = nil
      return
    }
    let from = try number("SbxDroppedFromSeq")
    let to = try number("SbxDroppedToSeq")
    var sequences: ClosedRange<UInt64>?
    if let from, let to {
      guard from <= to else { throw LineFault("SbxDroppedFromSeq is after SbxDroppedToSeq") }
      sequences = from...to
    }
    guard let count = try number("SbxDroppedCount") else { throw LineFault("SbxDroppedCount is missing") }
    dropped = Dropped(
      boot: members["SbxDroppedBootId"]?.text, sequences: sequences, count: count,
      reason: members["EventOriginalResultDetails"]?.text ?? "", flows: members["Flows"]?.text)
  }

  private struct Value {
    var text: String
    var isText: Bool
  }

  /// The needed members of the object, and of the object `AdditionalFields` in it; their names are distinct.
  private static func members(of bytes: [UInt8]) throws(LineFault) -> [String: Value] {
    var reader = JSONReader(bytes)
    do throws(JSONError) {
      var members: [String: Value] = [:]
      guard try reader.next() == .beginObject else { throw reader.error("a record is an object") }
      while true {
        let token = try reader.next()
        if token == .end { return members }
        guard token == .key else { continue }
        let name = needed[reader.text]
        let value = try reader.next()
        if name == "SbxOwnFlow", value == .bool(true) { members[name ?? ""] = Value(text: "true", isText: false) }
        guard let name, reader.depth == (nested.contains(name) ? 2 : 1), value == .string || value == .number else {
          // The members of an object are looked at like its own; nothing of a list is needed.
          if value == .beginArray { try reader.skip(value) }
          continue
        }
        members[name] = Value(text: String(decoding: reader.text, as: UTF8.self), isText: value == .string)
      }
    } catch {
      throw LineFault("no JSON: \(error.reason) at column \(error.column)")
    }
  }

  /// Of the needed ones, those of `AdditionalFields`.
  private static let nested: Set<String> = ["Origin", "Flows"]
  private static let needed: [[UInt8]: String] = Dictionary(
    uniqueKeysWithValues: [
      "SbxSeq", "SbxBootId", "SbxSandboxId", "SbxRecordKind", "EventOriginalUid", "EventCount", "NetworkDirection",
      "Origin", "Flows", "SbxOwnFlow", "SbxPrevBootId", "SbxPrevLastSeq", "SbxDroppedFromSeq", "SbxDroppedToSeq",
      "SbxDroppedCount",
      "SbxDroppedBootId", "EventOriginalResultDetails",
    ].map { (Array($0.utf8), $0) })
}

/// Sixteen octets, as two numbers that cost no reference.
struct Halves: Hashable, Comparable, Sendable {
  var high: UInt64 = 0
  var low: UInt64 = 0

  /// The first sixteen octets; missing ones are zero.
  init(_ octets: some Sequence<UInt8>) {
    for (index, octet) in octets.prefix(16).enumerated() {
      let shift = UInt64(56 - 8 * (index % 8))
      if index < 8 { high |= UInt64(octet) << shift } else { low |= UInt64(octet) << shift }
    }
  }

  /// A UUID's text (RFC 9562 §4); nil when it is none.
  init?(uuid text: String) {
    var octets: [UInt8] = []
    var pending: UInt8?
    var position = 0
    for letter in text.utf8 {
      defer { position += 1 }
      if [8, 13, 18, 23].contains(position) {
        guard letter == 0x2d else { return nil }
        continue
      }
      guard let digit = hexadecimalDigit(letter) else { return nil }
      if let high = pending {
        octets.append(high << 4 | digit)
        pending = nil
      } else {
        pending = digit
      }
    }
    guard position == 36 else { return nil }
    self.init(octets)
  }

  /// 22 letters of base64url that stand for 16 octets (RFC 4648 §5); nil when they are none, or not the one way to write them.
  init?(base64URL text: [UInt8]) {
    guard text.count == RecordChain.linkOctets else { return nil }
    var octets: [UInt8] = []
    var pending: UInt32 = 0
    var bits: UInt32 = 0
    for letter in text {
      guard let digit = base64URLValue(letter) else { return nil }
      pending = pending << 6 | digit
      bits += 6
      if bits >= 8 {
        bits -= 8
        octets.append(UInt8(truncatingIfNeeded: pending >> bits))
      }
      pending &= 0xff
    }
    guard pending & ((1 << bits) - 1) == 0 else { return nil }
    self.init(octets)
  }

  static func < (left: Self, right: Self) -> Bool {
    left.high == right.high ? left.low < right.low : left.high < right.high
  }

  /// The octets.
  var octets: [UInt8] {
    (0..<16).map { UInt8(truncatingIfNeeded: ($0 < 8 ? high : low) >> UInt64(56 - 8 * ($0 % 8))) }
  }
}

private func hexadecimalDigit(_ letter: UInt8) -> UInt8? {
  switch letter {
  case 0x30...0x39: letter - 0x30
  case 0x41...0x46: letter - 0x37
  case 0x61...0x66: letter - 0x57
  default: nil
  }
}

private func base64URLValue(_ letter: UInt8) -> UInt32? {
  switch letter {
  case 0x41...0x5a: UInt32(letter) - 0x41
  case 0x61...0x7a: UInt32(letter) - 0x47
  case 0x30...0x39: UInt32(letter) + 4
  case 0x2d: 62
  case 0x5f: 63
  default: nil
  }
}
