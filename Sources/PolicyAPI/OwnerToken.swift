import HTTPWire
import JSONText

/// The longest binding token that is looked at, in octets: a JWS with two GUIDs and an RSA-4096 signature takes about 1.5 KiB.
private let ownerTokenBytesMax = 16 * 1024

/// The body of `PUT /owner`: `{"token":"JWS"}`. The token's own checks are the owner module's.
func ownerToken(of request: HTTPRequest) throws(Refusal) -> String {
  // A binding is for ever: who asks for a rehearsal must not get it.
  guard request.parameters("dryRun").isEmpty else { throw Refusal(400, "an owner is bound without dryRun") }
  let body = request.body
  // The body is the token with its frame and perhaps white space.
  guard body.count <= 2 * ownerTokenBytesMax else { throw Refusal(413, "body over \(2 * ownerTokenBytesMax) bytes") }
  let value: JSONValue
  do throws(JSONError) {
    value = try JSONValue.parse(body)
  } catch {
    throw Refusal(400, "invalid owner: \(error)")
  }
  guard let members = value.object, members.count == 1, let token = value["token"]?.string, !token.isEmpty,
    token.utf8.count <= ownerTokenBytesMax
  else { throw Refusal(400, "invalid owner: expected {\"token\": \"JWS\"}") }
  return token
}
