/// What the server half has to say next.
package enum RequestEvent: Hashable, Sendable {
  /// Nothing before more octets come.
  case needMore
  /// The client waits for `HTTPRequest.continueOctets` before it sends the body; said once per request, before the body is read.
  case continueExpected
  case request(HTTPRequest)
  /// Answer with `fault.response`, then close. Said again on every later call.
  case fault(HTTPFault)
}

/// Octets of one connection in, requests out, in order; pipelined ones too.
package struct RequestParser: Sendable {
  private enum Stage {
    case line
    case headers(RequestLine)
    case body(HTTPRequest)
    case fault(HTTPFault)
  }

  private let limits: HTTPLimits
  private var buffer = InputBuffer()
  private var stage = Stage.line
  private var section: FieldSection
  private var body: BodyReader
  /// RFC 9112 §2.2: one empty line before a request line is forgiven; old clients send it after a body.
  private var sawEmptyLine = false

  package init(limits: HTTPLimits = .server) {
    self.limits = limits
    section = FieldSection(limits: limits)
    body = BodyReader(.empty, limits: limits)
  }

  /// Takes octets from the connection. Call `next` until it needs more.
  package mutating func receive(_ octets: [UInt8]) {
    if case .fault = stage { return }
    buffer.append(octets)
  }

  package mutating func next() -> RequestEvent {
    do throws(HTTPFault) {
      while true {
        switch stage {
        case .fault(let fault): return .fault(fault)
        case .line: guard try readLine() else { return .needMore }
        case .headers(let line):
          guard try section.read(from: &buffer) else { return .needMore }
          if try finishHeaders(line) { return .continueExpected }
        case .body(var request):
          guard try body.read(from: &buffer) else { return .needMore }
          request.body = body.body
          reset()
          return .request(request)
        }
      }
    } catch {
      stage = .fault(error)
      buffer = InputBuffer()
      return .fault(error)
    }
  }

  /// Nothing of a request has come: the connection may be closed without an answer.
  package var isIdle: Bool {
    guard case .line = stage else { return false }
    return buffer.isEmpty
  }

  /// Octets received and not yet read: what a shell looks at before it reads more for a client that does not wait for answers.
  package var bufferedByteCount: Int { buffer.count }

  /// The request whose body is being read, with an empty body: for refusing it (`401`) before the body is taken. Nil otherwise.
  package var unfinished: HTTPRequest? {
    guard case .body(let request) = stage else { return nil }
    return request
  }

  private mutating func readLine() throws(HTTPFault) -> Bool {
    let tooLong = HTTPFault(414, "request line over \(limits.startLineBytesMax) bytes")
    guard let line = try buffer.line(limit: limits.startLineBytesMax, tooLong: tooLong) else { return false }
    if line.isEmpty && !sawEmptyLine {
      sawEmptyLine = true
    } else {
      stage = .headers(try RequestLine(line))
    }
    return true
  }

  /// True when the client waits to be told to go on.
  private mutating func finishHeaders(_ line: RequestLine) throws(HTTPFault) -> Bool {
    let headers = section.fields
    try checkHost(headers, minorVersion: line.minorVersion)
    let framing = try bodyFraming(of: headers, minorVersion: line.minorVersion, limits: limits) ?? .empty
    let expectations = headers.list("Expect")
    guard expectations.allSatisfy({ $0 == "100-continue" }) else { throw HTTPFault(417, "unknown expectation") }
    let connection = headers.list("Connection")
    let keepsAlive =
      line.minorVersion > 0
      ? !connection.contains("close") : connection.contains("keep-alive") && !connection.contains("close")
    body = BodyReader(framing, limits: limits)
    stage = .body(
      HTTPRequest(
        method: line.method, target: line.target, path: line.path, query: line.query, headers: headers,
        keepsAlive: keepsAlive, minorVersion: line.minorVersion))
    // RFC 9110 §10.1.1: not for HTTP/1.0, and not when there is no body to wait for.
    return !expectations.isEmpty && line.minorVersion > 0 && framing != .empty
  }

  /// RFC 9112 §3.2: exactly one in HTTP/1.1, at most one in HTTP/1.0.
  private func checkHost(_ headers: HeaderFields, minorVersion: Int) throws(HTTPFault) {
    let hosts = headers.values("Host")
    if hosts.isEmpty && minorVersion > 0 { throw HTTPFault(400, "missing Host") }
    guard hosts.count <= 1 else { throw HTTPFault(400, "more than one Host") }
    guard hosts.allSatisfy({ isAuthority($0[...]) }) else { throw HTTPFault(400, "invalid Host") }
  }

  private mutating func reset() {
    stage = .line
    sawEmptyLine = false
    section = FieldSection(limits: limits)
    body = BodyReader(.empty, limits: limits)
    if buffer.isEmpty { buffer.compact() }
  }
}
