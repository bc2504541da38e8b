// HTTP/1.1 on the wire: octets in, messages out, and messages in, octets out. Both halves, since the control API is a server, the
// forwarder a client, and the local Event Hubs receiver a server again.
//
// Constraints. The peer of the server half may be the workload that the sidecar confines, and the peer of the client half decides whether an
// audit record counts as delivered. So one reading of a message must be the only possible one: whatever RFC 9112 lets a
// recipient repair (a bare line feed, a folded line, a space before the colon, two lengths) is refused here, because another
// reader on the path may repair it differently. Every buffer has a limit that holds before the octets are kept (`HTTPLimits`).
//
// Format. RFC 9112: a start line, field lines, an empty line, and a body delimited by Content-Length, by chunks, or (responses alone) by the
// end of the connection. RFC 9110: what methods, statuses and fields mean. Origin-form, absolute-form and asterisk-form targets are
// read; CONNECT, upgrades, transfer codings other than chunked, and trailers' contents are not wanted.
//
// Operations. `RequestParser` and `ResponseParser` are fed with `receive` and asked with `next` until they need more; how the octets were cut into
// pieces never changes what they say. `HTTPResponse.compose(for:)` and `composeRequest` write. Nothing here performs I/O or knows the
// time: a slow peer is cut by the shell, which asks `isIdle`.
//
// Failures. The server half ends in an `HTTPFault`, which is a status, a reason for the log, and a response; the connection closes after it. The client
// half ends in a reason; a response is handed out only whole, and bytes beyond it are a fault too.

/// How much of a message is kept. Each limit holds before the octets are stored.
package struct HTTPLimits: Hashable, Sendable {
  /// Octets of a request line or status line without its line end. 8,000 is what RFC 9112 §3 recommends at least.
  package var startLineBytesMax = 8 * 1024
  /// Octets of all field lines with their line ends; an SDK's requests take about 1 KiB, a 4 KiB bearer token is common.
  package var headerBytesMax = 16 * 1024
  /// Field lines in one message; browsers send about 20.
  package var headerFieldsMax = 100
  /// Octets of a body after chunks are joined.
  package var bodyBytesMax: Int
  /// Octets of all chunk extensions of one body: nobody needs them, and without a limit they are a free way to keep a parser busy.
  package var chunkExtensionBytesMax = 4 * 1024
  /// 1xx responses before the final one; `100 Continue` and early hints come once or twice.
  package var informationalResponsesMax = 8

  package init(bodyBytesMax: Int) { self.bodyBytesMax = bodyBytesMax }

  /// The control API: 8 MiB takes a policy of 65,536 rules.
  package static let server = HTTPLimits(bodyBytesMax: 8 * 1024 * 1024)
  /// The forwarder: answers are empty or an error text; 64 KiB takes any access token.
  package static let client = HTTPLimits(bodyBytesMax: 64 * 1024)
}
