import HTTPWire
import LinuxIO
import Timekeeping
import Transport

/// Judges requests as a strict Event Hubs would: more strictly than the service wherever the service might shrug.
final class Hub: Sendable {
  private let authorization: Authorization
  private let faults: FaultScript
  private let ledger: Ledger
  private let name: String?
  private let sizeLimit: Int
  private let poison: [UInt8]?
  private let throughput: ThroughputUnits?

  /// `name` nil: any hub. `poison`: a batch in which a body holds this text is refused with 400.
  init(
    authorization: Authorization, faults: FaultScript, ledger: Ledger, name: String?, sizeLimit: Int, poison: [UInt8]?,
    throughput: ThroughputUnits?
  ) {
    self.authorization = authorization
    self.faults = faults
    self.ledger = ledger
    self.name = name
    self.sizeLimit = sizeLimit
    self.poison = poison
    self.throughput = throughput
  }

  /// Blocks for a `slow` fault and for the ledger.
  func reply(to request: HTTPRequest) -> HTTPSReply {
    do throws(Refusal) {
      let texts = try judge(request)
      guard let fault = faults.next() else {
        let response = try store(texts)
        note("201", texts.count, request)
        return .answer(response)
      }
      note("\(fault)", texts.count, request)
      return try play(fault, texts)
    } catch {
      log("refused \(error.status): \(error.detail)")
      if error.detail != Self.scripted { note(String(error.status), 0, request) }
      return .answer(error.response)
    }
  }

  private func note(_ outcome: String, _ events: Int, _ request: HTTPRequest) {
    ledger.note(outcome, events: events, octets: request.body.count, at: SystemTime.wall())
  }

  private static let scripted = "scripted"

  private func judge(_ request: HTTPRequest) throws(Refusal) -> [[UInt8]] {
    try authorization.check(request, at: SystemTime.wall())
    let parts = request.path.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0].isEmpty, !parts[1].isEmpty, parts[2] == "messages" else {
      throw Refusal(404, "the path is /HUB/messages, not \(request.path)")
    }
    guard name == nil || parts[1] == name ?? "" else { throw Refusal(404, "there is no hub \(parts[1])") }
    guard request.method == "POST" else { throw Refusal(405, "messages are POSTed, not \(request.method)") }
    guard request.parameters("api-version") == ["2014-01"] else {
      throw Refusal(400, "api-version must be given once, as 2014-01")
    }
    if let other = request.query.first(where: { !["api-version", "timeout"].contains($0.name) }) {
      throw Refusal(400, "unknown parameter \(other.name)")
    }
    let types = request.headers.values("Content-Type")
    guard types == [Array(EventBatch.contentType.utf8)] else {
      throw Refusal(400, "Content-Type must be exactly \(EventBatch.contentType)")
    }
    guard !request.headers.contains("Content-Encoding") else { throw Refusal(400, "Content-Encoding is not taken") }
    let texts = try EventBatch.parse(request.body, limit: sizeLimit)
    if let poison, texts.contains(where: { $0.holds(poison) }) { throw Refusal(400, "a body holds the poison") }
    if let throughput, !throughput.take(events: texts.count, octets: request.body.count, at: SystemTime.instant()) {
      throw Refusal(
        503,
        "The request was terminated because the entity is being throttled. Error code : 50002. Please wait 4 seconds and try again."
      )
    }
    return texts
  }

  private func store(_ texts: [[UInt8]]) throws(Refusal) -> HTTPResponse {
    do throws(Errno) {
      let partition = try ledger.append(texts, at: SystemTime.wall())
      log("stored \(texts.count) in partition \(partition)")
    } catch {
      throw Refusal(500, "ledger: \(error)")
    }
    return HTTPResponse(status: 201, headers: ["Content-Type": "application/xml; charset=utf-8"])
  }

  private func play(_ fault: Fault, _ texts: [[UInt8]]) throws(Refusal) -> HTTPSReply {
    log("fault \(fault)")
    switch fault {
    case .status(let status): throw Refusal(status, Self.scripted)
    case .statusAfterStore(let status):
      _ = try store(texts)
      throw Refusal(status, Self.scripted)
    case .reset: return .reset
    case .resetAfterStore:
      _ = try store(texts)
      return .reset
    case .truncate:
      _ = try store(texts)
      return .octetsThenClose(Array("HTTP/1.1 201 Created\r\nContent-Le".utf8))
    case .garbage:
      _ = try store(texts)
      return .octetsThenClose(Array("\u{0}\u{1}this is not HTTP\r\n\r\n".utf8))
    case .extra:
      let answer = try store(texts).compose(keepsAlive: true)
      return .octets(answer + answer)
    case .interim:
      return .octets(HTTPRequest.continueOctets + (try store(texts)).compose(keepsAlive: true))
    case .chunked:
      _ = try store(texts)
      return .octets(Array("HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".utf8))
    case .drip(let span): return .drip(try store(texts).compose(keepsAlive: true), span)
    case .hang: return .silence
    case .hangAfterStore:
      _ = try store(texts)
      return .silence
    case .slow(let span):
      pause(span)
      return .answer(try store(texts))
    case .retryAfter(let seconds):
      var response = Refusal(503, Self.scripted).response
      response.headers.set("Retry-After", String(seconds))
      return .answer(response)
    }
  }
}

extension [UInt8] {
  /// Whether the text stands in it.
  fileprivate func holds(_ text: [UInt8]) -> Bool {
    guard let first = text.first, count >= text.count else { return text.isEmpty }
    return (0...(count - text.count)).contains { self[$0] == first && self[$0..<($0 + text.count)].elementsEqual(text) }
  }
}

/// A poll of nothing is the only sleep that is not counted anew after a signal.
func pause(_ span: TimeSpan) { _ = try? EventPoll().wait(timeout: span) }

/// One line for people; a reader that does not read costs the line.
func log(_ text: String) {
  try? StandardStreams.error.write("eventhub-local: \(text)\n", patience: .milliseconds(100))
}
