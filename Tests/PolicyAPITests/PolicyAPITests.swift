import EgressPolicy
import HTTPWire
import PolicyAPI
import Testing

let token = "s3cret"

/// A request with the right credential, unless `headers` say otherwise.
func request(
  _ method: String, _ path: String, _ body: String = "", query: [QueryParameter] = [],
  headers: HeaderFields = ["OPENSANDBOX-EGRESS-AUTH": token]
) -> HTTPRequest {
  HTTPRequest(method: method, target: path, path: path, query: query, headers: headers, body: Array(body.utf8))
}

/// A server of one policy: what a client sees when every commit succeeds.
struct World {
  var api: PolicyAPI
  var view: PolicyView
  /// What the machine would say of a rehearsal.
  var impact = ChangeImpact(namesAllowed: [], namesDenied: [], flowsCut: [])

  init(token: String? = token, limits: PolicyLimits = .standard, document: PolicyDocument = .denyAll) {
    api = PolicyAPI(PolicyAPISettings(token: token.map { Array($0.utf8) }, limits: limits))
    view = PolicyView(document, revision: PolicyRevision(number: 1), enforcementMode: "dns+nft")
  }

  mutating func answer(_ request: HTTPRequest) -> HTTPResponse {
    switch api.route(request) {
    case .respond(let response): return response
    case .call(.readPolicy, _): return .policy(view)
    case .call(.readDescription, _): return .openAPI
    case .call(.change(let change), _):
      switch change.decide(view) {
      case .respond(let response): return response
      case .rehearse(let document):
        var proposed = view
        proposed.document = document
        return .dryRun(from: view, to: proposed, impact)
      case .commit(let document):
        view.document = document
        view.revision = PolicyRevision(number: view.revision.number + 1)
        return change.accepted(view)
      }
    case .call(.health, _): return .health(reasons: [])
    case .call: return HTTPResponse(status: 299)
    }
  }

  mutating func text(_ request: HTTPRequest) -> String {
    let response = answer(request)
    return "\(response.status) \(response.bodyText)"
  }
}

extension HTTPResponse {
  var bodyText: String { String(decoding: body, as: UTF8.self) }
}

func document(_ text: String) throws -> PolicyDocument { try PolicyDocument.parse(Array(text.utf8)) }
