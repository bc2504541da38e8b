/// Why a message was refused. On the server half it is answered with `response` and the connection closes.
package struct HTTPFault: Error, Hashable, Sendable {
  /// The status that a server answers with.
  package var status: Int
  /// For people; never holds octets of the message.
  package var reason: String

  package init(_ status: Int, _ reason: String) {
    self.status = status
    self.reason = reason
  }

  /// `reason` as plain text.
  package var response: HTTPResponse { .text(status, reason + "\n") }
}
