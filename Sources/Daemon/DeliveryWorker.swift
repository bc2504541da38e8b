import Addressing
import Configuration
import Forwarder
import HTTPWire
import LinuxIO
import Sidecar
import Timekeeping
import Transport

/// Carries batches to the hub over HTTPS, or appends them to the audit file. One at a time, in a thread of its own.
final class DeliveryWorker {
  struct Job: Sendable {
    var delivery: Delivery
    var endpoint: Endpoint?
    /// Else only over a connection that is kept.
    var connects: Bool
    var authorization: String?
    var deadline: Instant
  }

  struct Result: Sendable {
    var id: UInt64
    /// Nil: no connection is kept, and none was to be made.
    var outcome: DeliveryOutcome?
  }

  /// What of a refusal's body is looked at: 4 KiB, it is a sentence.
  private static let bodyPrefixMax = 4_096

  let worker: WorkerThread<Job, Result>
  private let client: HTTPSClient?
  private let context: TLSClientContext?

  /// `audit`: where records go without a hub.
  init(
    hub: HubAddress?, target: String?, proxy: ProxyAddress?, audit: LineSink, authorityFile: String?, mark: UInt32
  ) throws(Errno) {
    guard let hub, let target else {
      client = nil
      context = nil
      worker = try WorkerThread(name: "delivery") { job in
        Result(id: job.delivery.id, outcome: audit.append(job.delivery.body))
      }
      return
    }
    let context = TLSClientContext(caFile: authorityFile)
    let client = HTTPSClient(context)
    self.client = client
    self.context = context
    let authority = ServerAuthority(host: hub.host, port: hub.port)
    let server = HTTPSTarget(name: hub.host, endpoints: [], mark: mark, tunnel: proxy.map(authority.tunnel))
    worker = try WorkerThread(name: "delivery", stackOctets: 512 << 10) { job in
      Result(id: job.delivery.id, outcome: Self.post(job, to: authority.field, server, target, client, context))
    }
  }

  func submit(_ job: Job) { worker.submit(job) }

  /// The attempt under way comes out as failed.
  func interrupt() { client?.interrupt() }

  private static func post(
    _ job: Job, to host: String, _ server: HTTPSTarget, _ target: String, _ client: HTTPSClient,
    _ context: TLSClientContext
  ) -> DeliveryOutcome? {
    guard let endpoint = job.endpoint else { return .notConnected(reason: "no address of the hub") }
    // No retry by the gateway: retries are ours (Microsoft Learn, rest/api/eventhub/event-hubs-runtime-rest).
    var headers: HeaderFields = ["Content-Type": job.delivery.contentType, "x-ms-retrypolicy": "NoRetry"]
    if let authorization = job.authorization { headers.append("Authorization", authorization) }
    let request = composeRequest(
      method: "POST", target: target, host: host, headers: headers, body: job.delivery.body)
    var destination = server
    destination.endpoints = [endpoint]
    let outcome = client.exchange(
      request, method: "POST", with: destination, deadline: job.deadline, connects: job.connects)
    switch outcome {
    // The server closed a kept connection as the request was on its way: once more, at once, on a new one. A duplicate is recognised by its EventOriginalUid.
    case .unconnected, .droppedOnReuse: return nil
    case .response(let response):
      return .response(
        status: response.status, retryAfter: response.headers["Retry-After"],
        bodyPrefix: Array(response.body.prefix(bodyPrefixMax)))
    case .notConnected(let reason): return .notConnected(reason: reason)
    case .tlsRefused(let reason):
      context.forgetRoots()
      return .tlsRefused(reason: reason)
    case .ambiguous(let reason): return .ambiguous(reason: reason)
    }
  }
}
