/// What the client half has to say next.
package enum ResponseEvent: Hashable, Sendable {
  case needMore
  /// A whole final response; 1xx ones are skipped.
  case response(HTTPResponse, connectionReusable: Bool)
  /// No response may be believed; close the connection. Said again on every later call.
  case fault(String)
}

/// The octets that follow one request in, its one response out. Make another for the next request on the connection.
package struct ResponseParser: Sendable {
  /// - Parameter method: of the request: the answer to HEAD has no body.
  package init(to method: String, limits: HTTPLimits = .client) {}

  package mutating func receive(_ octets: [UInt8]) {}

  /// The peer ended the stream. Completes a body that only the end delimits, and is a fault anywhere else before the response is whole.
  ///
  /// - Parameter cleanly: by TLS close_notify or a plain FIN; false for a reset or a TLS stream cut off, which proves nothing about the body.
  package mutating func connectionClosed(cleanly: Bool = true) {}

  package mutating func next() -> ResponseEvent { .needMore }
}
