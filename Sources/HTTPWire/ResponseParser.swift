/// What the client half has to say next.
package enum ResponseEvent: Hashable, Sendable {
  case needMore
  /// A whole final response; 1xx ones are skipped. Said once.
  case response(HTTPResponse, connectionReusable: Bool)
  /// No response may be believed, or octets came that no request asked for; close the connection. Said again on every later call.
  case fault(String)
}

/// The octets that follow one request in, its one response out. Make another for the next request on the connection.
///
/// A response is what makes the forwarder forget an audit record, so a response counts only when it is whole beyond doubt: a status line and fields
/// by the letter of RFC 9112, one body length, every octet of the body there, and not an octet more.
package struct ResponseParser: Sendable {
  private enum Stage {
    case line
    case headers(StatusLine)
    case body(HTTPResponse, reusable: Bool)
    case complete
    case fault(String)
  }

  private let method: String
  private let limits: HTTPLimits
  private var buffer = InputBuffer()
  private var stage = Stage.line
  private var section: FieldSection
  private var body: BodyReader
  private var informationalCount = 0
  /// Whether the stream has ended, and whether it ended as its protocol says.
  private var ending: (hasEnded: Bool, cleanly: Bool) = (false, false)

  /// - Parameter method: of the request: the answer to HEAD has no body.
  package init(to method: String, limits: HTTPLimits = .client) {
    self.method = method
    self.limits = limits
    section = FieldSection(limits: limits)
    body = BodyReader(.empty, limits: limits)
  }

  package mutating func receive(_ octets: [UInt8]) {
    if case .fault = stage { return }
    buffer.append(octets)
  }

  /// The peer ended the stream. Completes a body that only the end delimits, and is a fault anywhere else before the response is whole. Call `next`
  /// afterwards.
  ///
  /// - Parameter cleanly: by TLS close_notify or a plain FIN; false for a reset or a TLS stream cut off, which proves nothing about the body.
  package mutating func connectionClosed(cleanly: Bool = true) {
    if !ending.hasEnded { ending = (true, cleanly) }
  }

  package mutating func next() -> ResponseEvent {
    do throws(HTTPFault) {
      while true {
        switch stage {
        case .fault(let reason): return .fault(reason)
        case .complete:
          guard buffer.isEmpty else { throw HTTPFault(502, "octets after the response") }
          return .needMore
        case .line: guard try readLine() else { return try needMore() }
        case .headers(let line):
          guard try section.read(from: &buffer) else { return try needMore() }
          try finishHeaders(line)
        case .body(var response, let reusable):
          guard try body.read(from: &buffer) || endsByClose else { return try needMore() }
          guard buffer.isEmpty else { throw HTTPFault(502, "octets after the response") }
          response.body = body.body
          stage = .complete
          return .response(response, connectionReusable: reusable && !ending.hasEnded)
        }
      }
    } catch {
      stage = .fault(error.reason)
      buffer = InputBuffer()
      return .fault(error.reason)
    }
  }

  private var endsByClose: Bool { body.isUntilClose && ending.hasEnded && ending.cleanly }

  private func needMore() throws(HTTPFault) -> ResponseEvent {
    if ending.hasEnded { throw HTTPFault(502, "connection closed before the response was whole") }
    return .needMore
  }

  private mutating func readLine() throws(HTTPFault) -> Bool {
    let tooLong = HTTPFault(502, "status line over \(limits.startLineBytesMax) bytes")
    guard let line = try buffer.line(limit: limits.startLineBytesMax, tooLong: tooLong) else { return false }
    stage = .headers(try StatusLine(line))
    return true
  }

  private mutating func finishHeaders(_ line: StatusLine) throws(HTTPFault) {
    let headers = section.fields
    section = FieldSection(limits: limits)
    // RFC 9110 §9.3.6: what follows a successful CONNECT is the tunnel, whatever the fields say.
    if method == "CONNECT", (200...299).contains(line.status) {
      body = BodyReader(.empty, limits: limits)
      stage = .body(HTTPResponse(status: line.status, headers: headers), reusable: true)
      return
    }
    let framing = try bodyFraming(of: headers, minorVersion: line.minorVersion, limits: limits)
    guard headers.values("Content-Length").count <= 1 else { throw HTTPFault(502, "more than one Content-Length") }
    if line.status < 200 { return try skipInformational(line, framing) }
    var taken = framing ?? .untilClose
    if line.status == 204 {
      guard (framing ?? .empty) == .empty else { throw HTTPFault(502, "a body length in a 204 response") }
      taken = .empty
    } else if method == "HEAD" || line.status == 304 {
      taken = .empty
    }
    let connection = headers.list("Connection")
    let keepsAlive =
      line.minorVersion > 0
      ? !connection.contains("close") : connection.contains("keep-alive") && !connection.contains("close")
    body = BodyReader(taken, limits: limits)
    stage = .body(
      HTTPResponse(status: line.status, headers: headers), reusable: keepsAlive && taken != .untilClose)
  }

  private mutating func skipInformational(_ line: StatusLine, _ framing: BodyFraming?) throws(HTTPFault) {
    guard line.status != 101 else { throw HTTPFault(502, "upgrade that was not asked for") }
    guard framing == nil else { throw HTTPFault(502, "a body length in a 1xx response") }
    informationalCount += 1
    guard informationalCount <= limits.informationalResponsesMax else {
      throw HTTPFault(502, "more than \(limits.informationalResponsesMax) informational responses")
    }
    stage = .line
  }
}

/// `HTTP-version SP status-code SP [ reason-phrase ]` (RFC 9112 §4).
struct StatusLine: Hashable, Sendable {
  var status: Int
  var minorVersion: Int

  init(_ line: ArraySlice<UInt8>) throws(HTTPFault) {
    let octets = Array(line)
    guard octets.count >= 13, octets.starts(with: "HTTP/1.".utf8), isDigit(octets[7]), octets[8] == 0x20,
      octets[9...11].allSatisfy(isDigit), octets[12] == 0x20, octets[13...].allSatisfy(isFieldValueOctet)
    else { throw HTTPFault(502, "invalid status line") }
    status = octets[9...11].reduce(0) { $0 * 10 + Int($1 - 0x30) }
    guard (100...599).contains(status) else { throw HTTPFault(502, "invalid status") }
    minorVersion = octets[7] == 0x30 ? 0 : 1
  }
}
