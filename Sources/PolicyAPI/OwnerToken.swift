import HTTPWire
import JSONText

/// The longest body of `PUT /owner`, in octets: twice what a token may have, for its frame and white space. A token that is too long is told so by name, and
/// recorded; what exceeds this is no token.
private let ownerBodyBytesMax = 32 * 1024

/// The body of `PUT /owner`: `{"token":"JWS"}`. The token's own checks are the owner module's.
func ownerToken(of request: HTTPRequest) throws(Refusal) -> String {
  // A binding is for ever: who asks for a rehearsal must not get it.
  guard request.parameters("dryRun").isEmpty else { throw Refusal(400, "an owner is bound without dryRun") }
  let body = request.body
  guard body.count <= ownerBodyBytesMax else { throw Refusal(413, "body over \(ownerBodyBytesMax) bytes") }
  let value: JSONValue
  do throws(JSONError) {
    value = try JSONValue.parse(body)
  } catch {
    throw Refusal(400, "invalid owner: \(error)")
  }
  guard let members = value.object, members.count == 1, let token = value["token"]?.string, !token.isEmpty
  else { throw Refusal(400, "invalid owner: expected {\"token\": \"JWS\"}") }
  return token
}
