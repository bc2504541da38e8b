import Addressing
import Configuration
import HTTPWire
import JSONText
import LinuxIO
import Timekeeping
import Transport

/// Why the control API could not be read.
struct APIFailure: Error, CustomStringConvertible {
  let description: String
}

/// Reads the control API of a sidecar, one connection a request.
struct APIReader {
  /// What one request may take: the API answers in milliseconds, or its daemon is in trouble.
  static let patience = TimeSpan.seconds(5)
  /// Octets of an answer: 65,536 flows of some 500 and their names.
  static let answerOctetsMax = 64 << 20
  private static let limits = HTTPLimits(bodyBytesMax: answerOctetsMax)

  let endpoint: Endpoint
  let token: String?

  /// The object that `path` answers with. 503 has one too: `/readyz` says what is missing.
  func object(_ path: String) throws(APIFailure) -> JSONValue {
    let response = try get(path)
    guard response.status == 200 || response.status == 503 else {
      throw APIFailure(
        description:
          "GET \(path): \(response.status) \(printable(String(decoding: response.body, as: UTF8.self), width: 200))")
    }
    do throws(JSONError) {
      return try JSONValue.parse(response.body, limits: JSONLimits(sizeMax: Self.answerOctetsMax))
    } catch {
      throw APIFailure(description: "GET \(path): the answer is no JSON: \(error.reason)")
    }
  }

  private func get(_ path: String) throws(APIFailure) -> HTTPResponse {
    let deadline = SystemTime.instant() + Self.patience
    var headers: HeaderFields = ["Accept": "application/json", "Connection": "close"]
    if let token { headers.append("Authorization", "Bearer \(token)") }
    let request = composeRequest(method: "GET", target: path, host: endpoint.description, headers: headers, body: [])
    let outcome = PlainHTTP.exchange(
      request, method: "GET", with: endpoint, limits: Self.limits, deadline: deadline)
    switch outcome {
    case .response(let response): return response
    case .unconnected: throw APIFailure(description: "\(endpoint): not connected")
    case .notConnected(let reason), .tlsRefused(let reason), .droppedOnReuse(let reason), .ambiguous(let reason):
      throw APIFailure(description: reason)
    }
  }
}

/// At most `width` letters of a text that comes from outside: what a terminal would act upon, and what is not ASCII, becomes a question mark.
func printable(_ text: String, width: Int) -> String {
  let letters = text.unicodeScalars.map { (0x20...0x7e).contains($0.value) ? Character($0) : "?" }
  return letters.count <= width ? String(letters) : String(letters.prefix(max(width - 1, 0))) + "~"
}
