import Addressing
import DNSWire
import EgressPolicy
import HTTPWire

// The control API: a request in, a call for the machine or a finished answer out; then the call's outcome in, the answer out.
//
// Constraints. OpenSandbox's SDK and CLI must work unchanged against `/policy`, so statuses, bodies and their texts are its own wherever
// they are safe. Where it guesses (an unknown `defaultAction`, a target that can never match, a body cut off at its limit, `egress:null`), this API
// refuses or says plainly instead. Whoever can change the policy owns the sandbox's network, so a request is judged in a fixed order: path, credential,
// method, permission to change, body. The first that fails answers, and nothing of the body is looked at before.
//
// Format. JSON with a line feed at its end. Errors are plain text of one line, or RFC 9457 problem details for a client whose Accept names
// `application/problem+json`. `ETag` is the policy's revision; `If-Match` makes a change conditional (RFC 9110 §13.1.1).
//
// Operations. `refusalBeforeBody` judges a request whose body has not come; `route` judges a whole one; `PolicyChangeRequest.decide` computes what a change
// means for the policy in force; `HTTPResponse.policy`, `.changeAccepted` and their neighbours write the outcomes. All of them are pure.
//
// Failures. A change that the kernel or the disk refused is 500 with the reason; the caller keeps the old policy then, and GET shows it.

/// What the operator decides about the API.
package struct PolicyAPISettings: Hashable, Sendable {
  /// What a client must present; nil or empty: reads are open and every change is refused.
  package var token: [UInt8]?
  package var limits: PolicyLimits

  package init(token: [UInt8]?, limits: PolicyLimits = .standard) {
    self.token = token.flatMap { $0.isEmpty ? nil : $0 }
    self.limits = limits
  }
}

/// What the machine is asked to do or to show.
package enum PolicyAPICall: Hashable, Sendable {
  /// Answer with `HTTPResponse.health`.
  case health
  /// Answer with `HTTPResponse.ready`.
  case ready
  /// Answer with `HTTPResponse.metrics`.
  case metrics
  /// Answer with `HTTPResponse.openAPI`.
  case readDescription
  /// Answer with `HTTPResponse.policy`; with how often each rule decided when asked for.
  case readPolicy(withStatistics: Bool)
  /// Answer with `HTTPResponse.suggestion`.
  case suggest
  /// Answer with `HTTPResponse.explanation`. Without a port every port is meant; without a transport TCP.
  case explain(ExplainedTarget, port: UInt16?, transport: TransportProtocol?)
  /// Answer with `HTTPResponse.owner`.
  case readOwner
  /// The signed token of `PUT /owner`, a JWS in compact form, not looked into yet.
  case bindOwner(token: String)
  /// Answer with `HTTPResponse.flows`.
  case readFlows
  /// Answer with `HTTPResponse.audit`.
  case readAudit
  /// Put on record, then do, then answer with `HTTPResponse.override`.
  case override(OverrideRequest)
  /// Ask `PolicyChangeRequest.decide`, then commit or answer.
  case change(PolicyChangeRequest)
}

/// What becomes of a request.
package enum Routed: Hashable, Sendable {
  /// `form`: how a refusal of the call is to be written.
  case call(PolicyAPICall, form: ErrorForm)
  case respond(HTTPResponse)
}

/// The routes of the control API (contract §4).
package struct PolicyAPI: Sendable {
  private let settings: PolicyAPISettings

  package init(_ settings: PolicyAPISettings) { self.settings = settings }

  /// Judges a whole request.
  package func route(_ request: HTTPRequest) -> Routed {
    let form = ErrorForm(of: request)
    do throws(Refusal) {
      return .call(try call(try admit(request), request), form: form)
    } catch {
      return .respond(error.response(form))
    }
  }

  /// The answer to a request that is refused whatever its body holds: for closing the connection before an unknown client has sent 8 MiB. Nil when the
  /// body matters.
  package func refusalBeforeBody(_ head: HTTPRequest) -> HTTPResponse? {
    do throws(Refusal) {
      _ = try admit(head)
      return nil
    } catch {
      return error.response(ErrorForm(of: head))
    }
  }

  /// The answer to a client that should have presented a certificate and did not: probes and scrapers need none. Nil when the request goes on.
  package func refusalWithoutCertificate(_ request: HTTPRequest) -> HTTPResponse? {
    guard let endpoint = Endpoint(path: request.path), endpoint.needsCredential else { return nil }
    return Refusal(401, "a client certificate is needed").response(ErrorForm(of: request))
  }

  /// Path, credential, method, permission to change: in this order.
  private func admit(_ request: HTTPRequest) throws(Refusal) -> Endpoint {
    guard let endpoint = Endpoint(path: request.path) else { throw Refusal(404, "404 page not found") }
    if endpoint == .vault && request.method == "POST" && settings.token == nil {
      throw Refusal(412, "credential vault requires egress API auth token")
    }
    if endpoint.needsCredential, let token = settings.token, !presents(token, request.headers) {
      throw Refusal(401, "unauthorized", headers: ["WWW-Authenticate": "Bearer"])
    }
    if let methods = endpoint.methods {
      guard methods.contains(request.method) else {
        throw Refusal(405, "method not allowed", headers: ["Allow": methods.joined(separator: ", ")])
      }
      let reads = request.method == "GET" || request.method == "HEAD"
      guard reads || settings.token != nil else { throw Refusal(403, "changes need SALLYPORT_API_TOKEN to be set") }
    }
    return endpoint
  }

  private func call(_ endpoint: Endpoint, _ request: HTTPRequest) throws(Refusal) -> PolicyAPICall {
    switch endpoint {
    case .health: .health
    case .ready: .ready
    case .metrics: .metrics
    case .description: .readDescription
    case .policy:
      request.method == "GET"
        ? .readPolicy(withStatistics: try flag("stats", request)) : .change(try change(request))
    case .suggested: .suggest
    case .explain: try explainCall(request)
    case .owner: request.method == "PUT" ? .bindOwner(token: try ownerToken(of: request)) : .readOwner
    case .flows: .readFlows
    case .audit: .readAudit
    case .auditOverride: .override(try OverrideRequest(request))
    // A sandbox's credentials are never kept here: the answers are those of a vault that was never filled.
    case .vault: throw Refusal(404, "credential vault not found")
    case .activeVault: throw Refusal(403, "forbidden")
    }
  }

  private func change(_ request: HTTPRequest) throws(Refusal) -> PolicyChangeRequest {
    guard request.body.count <= settings.limits.bodyMax else {
      throw Refusal(413, "body over \(settings.limits.bodyMax) bytes")
    }
    let dryRun = try flag("dryRun", request)
    let change =
      switch request.method {
      case "PATCH": try PolicyChange(merging: request.body, limits: settings.limits)
      case "DELETE": try PolicyChange(removing: request.body, limits: settings.limits)
      default: try PolicyChange(replacing: request.body, limits: settings.limits)
      }
    let ifMatch = request.headers.values("If-Match").map { String(decoding: $0, as: UTF8.self) }
    return PolicyChangeRequest(
      change, ifMatch: ifMatch.isEmpty ? nil : ifMatch.joined(separator: ", "), dryRun: dryRun,
      limits: settings.limits, form: ErrorForm(of: request))
  }

  /// OpenSandbox ignores the query, so unknown parameters pass; a `dryRun` that is not understood must not become a change.
  private func flag(_ name: String, _ request: HTTPRequest) throws(Refusal) -> Bool {
    switch request.parameters(name) {
    case [], ["false"]: false
    case ["true"]: true
    default: throw Refusal(400, "\(name) is either true or false")
    }
  }
}

/// The paths that exist.
enum Endpoint: Hashable, Sendable {
  case health, ready, metrics, description, policy, explain, suggested, owner, flows, audit, auditOverride, vault,
    activeVault

  init?(path: String) {
    switch path {
    case "/healthz": self = .health
    case "/readyz": self = .ready
    case "/metrics": self = .metrics
    case "/openapi.json": self = .description
    case "/policy": self = .policy
    case "/policy/suggested": self = .suggested
    case "/policy/explain": self = .explain
    case "/owner": self = .owner
    case "/flows": self = .flows
    case "/audit": self = .audit
    case "/audit/override": self = .auditOverride
    case "/credential-vault": self = .vault
    case "/credential-vault/_active": self = .activeVault
    default: return nil
    }
  }

  /// Probes and scrapers have no credential.
  var needsCredential: Bool {
    switch self {
    case .health, .ready, .metrics, .description: false
    case .policy, .explain, .suggested, .owner, .flows, .audit, .auditOverride, .vault, .activeVault: true
    }
  }

  /// In the order of Allow; nil for a path that answers every method alike, as OpenSandbox's `/healthz` does.
  var methods: [String]? {
    switch self {
    case .health, .vault, .activeVault: nil
    case .policy: ["GET", "POST", "PUT", "PATCH", "DELETE"]
    case .owner: ["GET", "HEAD", "PUT"]
    case .auditOverride: ["PUT", "DELETE"]
    case .ready, .metrics, .description, .explain, .suggested, .flows, .audit: ["GET", "HEAD"]
    }
  }
}
