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
  package init(limits: HTTPLimits = .server) {}

  /// Takes octets from the connection. Call `next` until it needs more.
  package mutating func receive(_ octets: [UInt8]) {}

  package mutating func next() -> RequestEvent { .needMore }

  /// Nothing of a request has come: the connection may be closed without an answer.
  package var isIdle: Bool { true }

  /// Octets received and not yet read: what a shell looks at before it reads more for a client that does not wait for answers.
  package var bufferedByteCount: Int { 0 }

  /// The request whose body is being read, with an empty body: for refusing it (`401`) before the body is taken. Nil otherwise.
  package var unfinished: HTTPRequest? { nil }
}
