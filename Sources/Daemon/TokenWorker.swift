import Addressing
import Configuration
import Forwarder
import HTTPWire
import LinuxIO
import Sidecar
import Timekeeping
import Transport

/// Exchanges the pod's federated token for an access token, in a thread of its own: an authority that is slow must not hold up deliveries, which have a token.
final class TokenWorker {
  struct Job: Sendable {
    var id: UInt64
    var endpoint: Endpoint
    var deadline: Instant
  }

  struct Result: Sendable {
    var id: UInt64
    var answer: TokenExchange.Answer
  }

  /// What one exchange may take: 10 s, as a delivery.
  static let patience = TimeSpan.seconds(10)

  let worker: WorkerThread<Job, Result>

  init(
    _ identity: FederatedIdentity, scope: String, proxy: ProxyAddress?, authorityFile: String?, mark: UInt32
  ) throws(Errno) {
    let context = TLSClientContext(caFile: authorityFile)
    let client = HTTPSClient(context)
    let authority = ServerAuthority(host: identity.authority.host, port: identity.authority.port)
    let server = HTTPSTarget(name: authority.host, endpoints: [], mark: mark, tunnel: proxy.map(authority.tunnel))
    worker = try WorkerThread(name: "tokens", stackOctets: 512 << 10) { job in
      Result(id: job.id, answer: Self.exchange(job, identity, scope, at: authority.field, server, client, context))
    }
  }

  func submit(_ job: Job) { worker.submit(job) }

  private static func exchange(
    _ job: Job, _ identity: FederatedIdentity, _ scope: String, at host: String, _ server: HTTPSTarget,
    _ client: HTTPSClient, _ context: TLSClientContext
  ) -> TokenExchange.Answer {
    func failed(_ reason: String) -> TokenExchange.Answer { .refused(reason: reason, retryAfter: nil) }
    // Read for each exchange: the kubelet renews it at four fifths of its life.
    let contents: [UInt8]
    do throws(Errno) {
      contents = try File.readWhole(identity.tokenFile, limit: TokenExchange.assertionOctetsMax)
    } catch {
      return failed(error.description)
    }
    guard let assertion = TokenExchange.assertion(in: contents) else {
      return failed("\(identity.tokenFile) holds no token")
    }
    let request = composeRequest(
      method: "POST", target: TokenExchange.path(tenant: identity.tenantID), host: host,
      headers: ["Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"],
      body: TokenExchange.body(assertion: assertion, client: identity.clientID, scope: scope))
    var target = server
    target.endpoints = [job.endpoint]
    // Exchanges are half an hour apart: no connection is worth keeping.
    defer { client.close() }
    switch client.exchange(request, method: "POST", with: target, deadline: job.deadline) {
    case .response(let response): return TokenExchange.read(response, at: SystemTime.wall())
    case .tlsRefused(let reason):
      context.forgetRoots()
      return failed(reason)
    case .notConnected(let reason), .droppedOnReuse(let reason), .ambiguous(let reason): return failed(reason)
    case .unconnected: return failed("no connection")
    }
  }
}
