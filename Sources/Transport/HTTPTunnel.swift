import HTTPWire
import LinuxIO
import Timekeeping

/// A connection through an HTTP proxy (`CONNECT`, RFC 9110 §9.3.6). The proxy sees the server's name and octets it cannot read.
package struct HTTPTunnel: Hashable, Sendable {
  /// `HOST:PORT` of the server.
  package var authority: String
  /// The value of `Proxy-Authorization`; nil without credentials. Secret.
  package var authorization: String?

  package init(authority: String, authorization: String? = nil) {
    self.authority = authority
    self.authorization = authorization
  }

  /// Asks for the tunnel on a connection to the proxy. Nil once it stands; else why not.
  func open(on stream: TCPStream, limits: HTTPLimits, deadline: Instant) -> String? {
    var headers: HeaderFields = [:]
    if let authorization { headers.append("Proxy-Authorization", authorization) }
    let request = composeRequest(method: "CONNECT", target: authority, host: authority, headers: headers, body: [])
    var parser = ResponseParser(to: "CONNECT", limits: limits)
    do throws(Errno) {
      var sent = 0
      while sent < request.count {
        if let count = try stream.write(request, from: sent) {
          sent += count
        } else if try !stream.waitUntil(.write, deadline: deadline) {
          return "no answer in time"
        }
      }
      while true {
        switch parser.next() {
        case .response(let response, _):
          // The server speaks second: octets behind the answer are not its own.
          guard case .needMore = parser.next() else { return "octets after the answer to CONNECT" }
          guard (200...299).contains(response.status) else { return "answered \(response.status) to CONNECT" }
          return nil
        case .fault(let reason): return reason
        case .needMore: break
        }
        guard try stream.waitUntil(.read, deadline: deadline) else { return "no answer in time" }
        var octets: [UInt8] = []
        switch try stream.read(into: &octets) {
        case .octets: parser.receive(octets)
        case .end: parser.connectionClosed(cleanly: true)
        case .wouldBlock: break
        }
      }
    } catch {
      return error.description
    }
  }
}
