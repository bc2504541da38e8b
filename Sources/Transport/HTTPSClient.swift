import Addressing
import HTTPWire
import LinuxIO
import Synchronization
import Timekeeping

/// Where a request goes.
package struct HTTPSTarget: Hashable, Sendable {
  /// The name (or address) that the certificate must prove.
  package var name: String
  /// Tried in order until one connects. With a tunnel those of the proxy.
  package var endpoints: [Endpoint]
  /// SO_MARK of the socket.
  package var mark: UInt32?
  /// How the proxy is asked for a connection to the server; nil: the server is connected to.
  package var tunnel: HTTPTunnel?

  package init(name: String, endpoints: [Endpoint], mark: UInt32? = nil, tunnel: HTTPTunnel? = nil) {
    self.name = name
    self.endpoints = endpoints
    self.mark = mark
    self.tunnel = tunnel
  }
}

/// What became of a request.
package enum HTTPSOutcome: Hashable, Sendable {
  /// A whole answer beyond doubt.
  case response(HTTPResponse)
  /// Not an octet of the request left: nothing connected, or the deadline passed before.
  case notConnected(reason: String)
  /// Not an octet of the request left: no connection is kept, and none was to be made.
  case unconnected
  /// Not an octet of the request left: the peer did not prove who it is, or speaks no TLS we accept.
  case tlsRefused(reason: String)
  /// A kept connection ended before any octet of an answer: most likely the server closed it as the request was on its
  /// way. It may have acted.
  case droppedOnReuse(reason: String)
  /// Some of the request left and no whole answer came. It may have acted.
  case ambiguous(reason: String)
}

/// Requests over one kept connection, one at a time, on a worker thread. Blocks, never longer than the deadlines.
/// Sendable, so that the worker's closure may hold it and another thread may `interrupt`; two threads that exchange
/// take turns.
package final class HTTPSClient: Sendable {
  private struct Kept {
    var tls: TLSStream
    var target: HTTPSTarget
    var endpoint: Endpoint
    var lastUsed: Instant
  }

  /// How long a connection may be idle and still be used: Azure's load balancers forget theirs after four minutes,
  /// gateways sooner.
  package static let idleLimit = TimeSpan.seconds(60)
  /// What one address may take to connect while others are left to try.
  package static let connectLimit = TimeSpan.seconds(5)

  private let context: TLSClientContext
  private let limits: HTTPLimits
  private let kept = Mutex<Kept?>(nil)
  private let current = Mutex<TCPStream?>(nil)

  package init(_ context: TLSClientContext, limits: HTTPLimits = .client) {
    self.context = context
    self.limits = limits
  }

  /// Connects when there is no usable connection, sends `request` (the octets of one whole request with `method`), and
  /// reads the answer. The connection is kept when both sides may. `deadline` bounds everything. Without `connects` only a
  /// kept connection is used: `unconnected` when there is none.
  package func exchange(
    _ request: [UInt8], method: String, with target: HTTPSTarget, deadline: Instant, connects: Bool = true
  ) -> HTTPSOutcome {
    kept.withLock { kept in
      let outcome = self.exchange(request, method, target, deadline, connects, &kept)
      if kept == nil { current.withLock { $0 = nil } }
      return outcome
    }
  }

  /// Ends an exchange under way, from any thread: it comes out as `ambiguous` or `notConnected`. Closes a kept
  /// connection too.
  package func interrupt() { current.withLock { $0?.shutdownBoth() } }

  /// Closes the kept connection, with close_notify.
  package func close() {
    kept.withLock { kept in
      kept?.tls.close()
      kept = nil
    }
    current.withLock { $0 = nil }
  }

  private func exchange(
    _ request: [UInt8], _ method: String, _ target: HTTPSTarget, _ deadline: Instant, _ connects: Bool,
    _ kept: inout Kept?
  ) -> HTTPSOutcome {
    let now = SystemTime.instant()
    if let old = kept, !isUsable(old, for: target, at: now) {
      old.tls.close()
      kept = nil
    }
    let isReused = kept != nil
    if kept == nil {
      guard connects else { return .unconnected }
      switch connect(target, deadline) {
      case .success(let made): kept = made
      case .failure(let failure): return failure.outcome
      }
    }
    guard let connection = kept else { return .notConnected(reason: "no connection") }
    let (outcome, isReusable) = converse(connection.tls, request, method, deadline, isReused: isReused)
    if isReusable {
      kept?.lastUsed = SystemTime.instant()
    } else {
      connection.tls.close()
      kept = nil
    }
    return outcome
  }

  private func isUsable(_ old: Kept, for target: HTTPSTarget, at now: Instant) -> Bool {
    old.target.name == target.name && old.target.mark == target.mark && old.target.tunnel == target.tunnel
      && target.endpoints.contains(old.endpoint) && now - old.lastUsed < HTTPSClient.idleLimit && old.tls.isIdle()
  }

  private struct Unconnected: Error {
    var outcome: HTTPSOutcome
  }

  private func connect(_ target: HTTPSTarget, _ deadline: Instant) -> Result<Kept, Unconnected> {
    var outcome = HTTPSOutcome.notConnected(reason: "\(target.name): no address")
    for (index, endpoint) in target.endpoints.enumerated() {
      let now = SystemTime.instant()
      let isLast = index == target.endpoints.count - 1
      let limit = isLast ? deadline : min(deadline, now + HTTPSClient.connectLimit)
      guard now < deadline else {
        return .failure(Unconnected(outcome: .notConnected(reason: "\(target.name): the deadline passed")))
      }
      switch connectOne(target, endpoint, limit) {
      case .success(let made): return .success(made)
      case .failure(let failure): outcome = failure.outcome
      }
    }
    return .failure(Unconnected(outcome: outcome))
  }

  private func connectOne(_ target: HTTPSTarget, _ endpoint: Endpoint, _ deadline: Instant) -> Result<Kept, Unconnected>
  {
    func refused(_ outcome: HTTPSOutcome) -> Result<Kept, Unconnected> { .failure(Unconnected(outcome: outcome)) }
    let stream: TCPStream
    do throws(Errno) {
      stream = try TCPStream.connecting(to: endpoint, mark: target.mark)
      current.withLock { $0 = stream }
      guard try stream.waitUntil(.write, deadline: deadline) else {
        return refused(.notConnected(reason: "connect \(endpoint): no answer in time"))
      }
      if let error = stream.connectError() { throw error }
    } catch {
      return refused(.notConnected(reason: error.description))
    }
    if let tunnel = target.tunnel, let refusal = tunnel.open(on: stream, limits: limits, deadline: deadline) {
      return refused(.notConnected(reason: "proxy \(endpoint): \(refusal)"))
    }
    do throws(TLSStreamFault) {
      let tls = try TLSStream(client: context, serverName: target.name, on: stream)
      try tls.handshake(deadline: deadline)
      return .success(Kept(tls: tls, target: target, endpoint: endpoint, lastUsed: SystemTime.instant()))
    } catch {
      switch error {
      case .tls(.certificate), .tls(.protocolFault), .cryptography:
        // The roots may have been replaced since they were read.
        context.forgetRoots()
        return refused(.tlsRefused(reason: "\(target.name) at \(endpoint): \(error)"))
      case .tls(.cutOff), .network, .deadline:
        return refused(.notConnected(reason: "TLS handshake with \(target.name) at \(endpoint): \(error)"))
      }
    }
  }

  /// One request out, one response in. The second value: whether the connection may carry another.
  private func converse(
    _ tls: TLSStream, _ request: [UInt8], _ method: String, _ deadline: Instant, isReused: Bool
  ) -> (HTTPSOutcome, Bool) {
    var parser = ResponseParser(to: method, limits: limits)
    var hasAnswer = false
    var writeFault: TLSStreamFault?
    do throws(TLSStreamFault) {
      try tls.write(request, deadline: deadline)
    } catch {
      // A server that refuses a request early answers and closes while we write: the answer is worth reading.
      guard case .network = error else { return (.ambiguous(reason: "\(error)"), false) }
      writeFault = error
    }
    while true {
      var octets: [UInt8] = []
      do throws(TLSStreamFault) {
        if try tls.read(into: &octets, deadline: deadline) {
          hasAnswer = true
          parser.receive(octets)
        } else {
          parser.connectionClosed(cleanly: true)
        }
      } catch {
        if error != .deadline { parser.connectionClosed(cleanly: false) }
        if case .response(let response, _) = parser.next() { return (.response(response), false) }
        let reason = (writeFault ?? error).description
        return isReused && !hasAnswer && error != .deadline
          ? (.droppedOnReuse(reason: reason), false) : (.ambiguous(reason: reason), false)
      }
      switch parser.next() {
      case .needMore: continue
      case .response(let response, let connectionReusable):
        // Octets beyond the answer make both messages doubtful.
        guard case .needMore = parser.next() else { return (.ambiguous(reason: "octets after the response"), false) }
        return (.response(response), connectionReusable && writeFault == nil)
      case .fault(let reason):
        return isReused && !hasAnswer
          ? (.droppedOnReuse(reason: reason), false) : (.ambiguous(reason: reason), false)
      }
    }
  }
}
