import HTTPWire

extension FuzzTarget {
  /// Requests: cut anywhere they say the same as when they come whole, and what was understood is within every limit and composes to what reads back the same.
  static let httpRequest = FuzzTarget(name: "http-request", octetsMax: 2_048) { octets in
    let whole = requestEvents(octets, piece: max(octets.count, 1))
    require(requestEvents(octets, piece: 1) == whole, "requests that depend on how they were cut")
    require(requestEvents(octets, piece: 7) == whole, "requests that depend on how they were cut")
    for case .request(let request) in whole {
      require(request.headers.count <= HTTPLimits.server.headerFieldsMax, "too many fields")
      require(request.target.utf8.count <= HTTPLimits.server.startLineBytesMax, "a target that is too long")
      require(!request.headers.contains("Transfer-Encoding") || request.minorVersion == 1, "chunks in HTTP/1.0")
      let composed = composeRequest(
        method: request.method, target: request.target, host: request.headers["Host"] ?? "",
        headers: request.headers.withoutFraming, body: request.body)
      guard case .request(let again) = requestEvents(composed, piece: composed.count).last else {
        fatalError("what was understood and composed is no request: \(request)")
      }
      require(
        again.method == request.method && again.target == request.target && again.path == request.path
          && again.query == request.query && again.body == request.body, "a request that does not read back")
    }
  }

  private static func requestEvents(_ octets: [UInt8], piece: Int) -> [RequestEvent] {
    var parser = RequestParser()
    var found: [RequestEvent] = []
    for start in stride(from: 0, to: octets.count, by: piece) {
      parser.receive(Array(octets[start..<min(start + piece, octets.count)]))
      while true {
        let event = parser.next()
        if event == .needMore { break }
        found.append(event)
        if case .fault(let fault) = event {
          require((400...599).contains(fault.response.status), "a fault that is none")
          require(parser.next() == event, "a fault that passes")
          return found
        }
      }
    }
    return found
  }

  /// Responses of a hub: cut anywhere they say the same, and one counts only when it is whole.
  static let httpResponse = FuzzTarget(name: "http-response", octetsMax: 2_048) { octets in
    // The first octet chooses the request and how the connection ended.
    let choice = octets.first ?? 0
    let body = Array(octets.dropFirst())
    let whole = responseEvents(body, choice, piece: max(body.count, 1))
    require(responseEvents(body, choice, piece: 1) == whole, "a response that depends on how it was cut")
    guard case .response(let response, let isReusable) = whole.first else { return }
    require((200...599).contains(response.status), "status \(response.status) ends an exchange")
    require(response.body.count <= HTTPLimits.client.bodyBytesMax, "a body that is too long")
    require(choice & 1 == 0 || response.body.isEmpty, "the answer to HEAD has a body")
    require(!isReusable || !response.headers.list("Connection").contains("close"), "a closed connection is used again")
    var parser = ResponseParser(to: choice & 1 != 0 ? "HEAD" : "POST")
    parser.receive(response.compose(keepsAlive: true, isHead: choice & 1 != 0))
    guard case .response(let again, _) = parser.next() else { fatalError("what was composed is no response") }
    require(again.status == response.status, "a response that does not read back")
    let hasContent = response.status != 204 && response.status != 304
    require(again.body == (hasContent ? response.body : []), "a body that does not read back")
  }

  private static func responseEvents(_ octets: [UInt8], _ choice: UInt8, piece: Int) -> [ResponseEvent] {
    var parser = ResponseParser(to: choice & 1 != 0 ? "HEAD" : "POST")
    var found: [ResponseEvent] = []
    for start in stride(from: 0, to: octets.count, by: piece) {
      parser.receive(Array(octets[start..<min(start + piece, octets.count)]))
      // Whether more octets follow a whole response is known only when they have come.
      if start + piece < octets.count, found.isEmpty, case .fault(let reason) = parser.next() {
        return [.fault(reason)]
      }
    }
    if choice & 2 != 0 { parser.connectionClosed(cleanly: choice & 4 != 0) }
    found.append(parser.next())
    return found
  }
}

extension HeaderFields {
  fileprivate var withoutFraming: HeaderFields {
    var kept = HeaderFields()
    for field in fields where !["host", "content-length", "transfer-encoding"].contains(field.name.lowercased()) {
      kept.append(field.name, field.value)
    }
    return kept
  }
}
