import Addressing
import Configuration
import HTTPWire
import JSONText
import LinuxIO
import Sidecar
import Timekeeping
import Transport

/// Tells the webhook of denied names, one at a time, in a thread of its own.
typealias NoticeWorker = WorkerThread<
  (id: UInt64, body: [UInt8], endpoint: Endpoint), (id: UInt64, outcome: NoticeOutcome)
>

/// `OPENSANDBOX_EGRESS_DENY_WEBHOOK`, spoken to.
struct DenialWebhook: Sendable {
  /// What one try may take: 5 s, as with OpenSandbox.
  private static let patience = TimeSpan.seconds(5)

  private let address: WebhookAddress
  private let mark: UInt32
  /// Nil for plain HTTP.
  private let client: HTTPSClient?
  private let headers: HeaderFields

  init(_ address: WebhookAddress, authorityFile: String?, mark: UInt32) {
    self.address = address
    self.mark = mark
    client = address.isTLS ? HTTPSClient(TLSClientContext(caFile: authorityFile)) : nil
    var headers: HeaderFields = ["Content-Type": "application/json"]
    if let credential = address.credential {
      headers.append("Authorization", "Basic \(Base64.encode(Array(credential.text.utf8)))")
    }
    if !address.isTLS { headers.append("Connection", "close") }
    self.headers = headers
  }

  func worker() throws(Errno) -> NoticeWorker {
    try NoticeWorker(name: "webhook", stackOctets: 512 << 10) { ($0.id, post($0.body, to: $0.endpoint)) }
  }

  private func post(_ body: [UInt8], to endpoint: Endpoint) -> NoticeOutcome {
    let request = composeRequest(
      method: "POST", target: address.target.text, host: address.authority, headers: headers, body: body)
    let deadline = SystemTime.instant() + Self.patience
    guard let client else {
      return Self.outcome(PlainHTTP.exchange(request, method: "POST", with: endpoint, mark: mark, deadline: deadline))
    }
    let server = HTTPSTarget(name: address.host, endpoints: [endpoint], mark: mark)
    let outcome = client.exchange(request, method: "POST", with: server, deadline: deadline)
    // A kept connection that ended meanwhile says nothing of the webhook.
    guard case .droppedOnReuse = outcome else { return Self.outcome(outcome) }
    return Self.outcome(client.exchange(request, method: "POST", with: server, deadline: deadline))
  }

  private static func outcome(_ outcome: HTTPSOutcome) -> NoticeOutcome {
    switch outcome {
    case .response(let response): .answered(response.status)
    case .unconnected: .failed(reason: "not connected")
    case .notConnected(let reason), .tlsRefused(let reason), .droppedOnReuse(let reason), .ambiguous(let reason):
      .failed(reason: reason)
    }
  }
}
