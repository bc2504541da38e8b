import Addressing
import HTTPWire
import LinuxIO
import Timekeeping

/// HTTP without TLS, one connection a request: for what the operator has put there so, never for records.
package enum PlainHTTP {
  /// Connects, sends `request` (the octets of one whole request with `method`, which asks to close), and reads the answer. Blocks, never longer than until
  /// `deadline`. `mark` needs CAP_NET_ADMIN.
  package static func exchange(
    _ request: [UInt8], method: String, with endpoint: Endpoint, mark: UInt32? = nil, limits: HTTPLimits = .client,
    deadline: Instant
  ) -> HTTPSOutcome {
    var sent = 0
    do throws(Errno) {
      let stream = try TCPStream.connecting(to: endpoint, mark: mark)
      guard try stream.waitUntil(.write, deadline: deadline) else {
        return .notConnected(reason: "connect \(endpoint): no answer in time")
      }
      if let error = stream.connectError() { throw error }
      while sent < request.count {
        if let count = try stream.write(request, from: sent) {
          sent += count
        } else if try !stream.waitUntil(.write, deadline: deadline) {
          return .ambiguous(reason: "\(endpoint) did not take the request in time")
        }
      }
      var parser = ResponseParser(to: method, limits: limits)
      while true {
        switch parser.next() {
        case .response(let response, _): return .response(response)
        case .fault(let reason): return .ambiguous(reason: "\(endpoint): \(reason)")
        case .needMore: break
        }
        guard try stream.waitUntil(.read, deadline: deadline) else {
          return .ambiguous(reason: "\(endpoint): no answer in time")
        }
        var octets: [UInt8] = []
        switch try stream.read(into: &octets) {
        case .octets: parser.receive(octets)
        case .end: parser.connectionClosed(cleanly: true)
        case .wouldBlock: break
        }
      }
    } catch {
      return sent == 0 ? .notConnected(reason: error.description) : .ambiguous(reason: error.description)
    }
  }
}
