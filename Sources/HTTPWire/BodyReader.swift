/// How a body is delimited (RFC 9112 §6).
enum BodyFraming: Hashable, Sendable {
  case empty
  /// Content-Length, over zero.
  case length(Int)
  case chunked
  /// Responses alone: everything up to the end of the connection.
  case untilClose
}

/// What the framing fields of a message say, alike for both halves: Transfer-Encoding, Content-Length, or nothing (nil).
///
/// Nothing is repaired: two readers that repair differently are what request smuggling is made of (RFC 9112 §11.2).
func bodyFraming(of headers: HeaderFields, minorVersion: Int, limits: HTTPLimits) throws(HTTPFault) -> BodyFraming? {
  let lengths = headers.values("Content-Length")
  if headers.contains("Transfer-Encoding") {
    guard lengths.isEmpty else { throw HTTPFault(400, "both Content-Length and Transfer-Encoding") }
    guard minorVersion > 0 else { throw HTTPFault(400, "Transfer-Encoding in HTTP/1.0") }
    let codings = headers.list("Transfer-Encoding")
    guard headers.values("Transfer-Encoding").count == 1, codings.count == 1, let coding = codings.first else {
      throw HTTPFault(400, "more than one transfer coding")
    }
    guard coding == "chunked" else { throw HTTPFault(501, "unknown transfer coding") }
    return .chunked
  }
  guard let first = lengths.first else { return nil }
  guard !first.isEmpty, first.allSatisfy(isDigit) else { throw HTTPFault(400, "invalid Content-Length") }
  guard lengths.allSatisfy({ $0 == first }) else { throw HTTPFault(400, "different Content-Length fields") }
  // Digits that overflow are a length too, and too large.
  let length = Int(String(decoding: first, as: UTF8.self)) ?? Int.max
  guard length <= limits.bodyBytesMax else { throw HTTPFault(413, "body over \(limits.bodyBytesMax) bytes") }
  return length == 0 ? .empty : .length(length)
}

/// Reads one body.
///
/// Chunked (RFC 9112 §7.1):
///
///     chunk-size [ chunk-ext ] CRLF chunk-data CRLF … 0 [ chunk-ext ] CRLF trailer-section CRLF
struct BodyReader: Sendable {
  private enum Stage: Hashable {
    case octets(left: Int)
    case untilClose
    case chunkSize
    case chunkOctets(left: Int)
    case chunkEnd
    case trailers
    case complete
  }

  private(set) var body: [UInt8] = []
  private var stage: Stage
  private var trailers: FieldSection
  private var extensionBytes = 0
  private let limits: HTTPLimits

  /// A chunk-size line without extension: 8 digits are 4 GiB, leading zeros included.
  private static let sizeDigitsMax = 8

  init(_ framing: BodyFraming, limits: HTTPLimits) {
    self.limits = limits
    trailers = FieldSection(limits: limits)
    switch framing {
    case .empty: stage = .complete
    case .length(let length): stage = .octets(left: length)
    case .chunked: stage = .chunkSize
    case .untilClose: stage = .untilClose
    }
  }

  /// The body is delimited by the end of the connection alone.
  var isUntilClose: Bool { stage == .untilClose }

  /// True when the body is whole, false when more octets are needed.
  mutating func read(from buffer: inout InputBuffer) throws(HTTPFault) -> Bool {
    while true {
      switch stage {
      case .complete: return true
      case .octets(let left):
        let rest = left - buffer.move(left, to: &body)
        stage = rest == 0 ? .complete : .octets(left: rest)
        if rest > 0 { return false }
      case .untilClose:
        guard buffer.count <= limits.bodyBytesMax - body.count else { throw tooLarge }
        _ = buffer.move(buffer.count, to: &body)
        return false
      case .chunkSize:
        let lineMax = Self.sizeDigitsMax + limits.chunkExtensionBytesMax - extensionBytes
        guard let line = try buffer.line(limit: lineMax, tooLong: HTTPFault(400, "chunk extensions too large")) else {
          return false
        }
        let size = try chunkSize(line)
        stage = size == 0 ? .trailers : .chunkOctets(left: size)
      case .chunkOctets(let left):
        let rest = left - buffer.move(left, to: &body)
        stage = rest == 0 ? .chunkEnd : .chunkOctets(left: rest)
        if rest > 0 { return false }
      case .chunkEnd:
        guard let line = try buffer.line(limit: 0, tooLong: HTTPFault(400, "chunk longer than its size")) else {
          return false
        }
        precondition(line.isEmpty, "the limit of zero let an octet through")
        stage = .chunkSize
      case .trailers:
        guard try trailers.read(from: &buffer) else { return false }
        stage = .complete
      }
    }
  }

  private var tooLarge: HTTPFault { HTTPFault(413, "body over \(limits.bodyBytesMax) bytes") }

  private mutating func chunkSize(_ line: ArraySlice<UInt8>) throws(HTTPFault) -> Int {
    var size = 0
    var digits = 0
    for octet in line {
      guard let value = hexValue(octet) else { break }
      digits += 1
      guard digits <= Self.sizeDigitsMax else { throw HTTPFault(400, "invalid chunk size") }
      size = size << 4 | Int(value)
    }
    let rest = line.dropFirst(digits)
    // RFC 9112 §7.1.1: extensions begin with `;`; white space before it is allowed only for old senders, and refused.
    guard digits > 0, rest.isEmpty || rest.first == 0x3b else { throw HTTPFault(400, "invalid chunk size") }
    guard rest.allSatisfy(isFieldValueOctet) else { throw HTTPFault(400, "invalid octet in a chunk extension") }
    extensionBytes += rest.count
    guard extensionBytes <= limits.chunkExtensionBytesMax else { throw HTTPFault(400, "chunk extensions too large") }
    guard size <= limits.bodyBytesMax - body.count else { throw tooLarge }
    return size
  }
}
