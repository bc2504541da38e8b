import EgressPolicy
import HTTPWire
import JSONText

/// How a client wants its errors written.
package enum ErrorForm: Hashable, Sendable {
  /// One line of text, as OpenSandbox answers.
  case text
  /// RFC 9457 problem details.
  case problem

  /// Problem details only for a client that names them: OpenSandbox's SDK accepts `*/*` and reads text.
  package init(of request: HTTPRequest) {
    let wantsProblem = request.headers.list("Accept").contains { range in
      let parts = range.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" } }
      return parts.first == "application/problem+json"
        && !parts.dropFirst().contains {
          $0 == "q=0" || ($0.hasPrefix("q=0.") && !$0.dropFirst(4).contains { $0 != "0" })
        }
    }
    self = wantsProblem ? .problem : .text
  }
}

/// Why a request or a change was refused.
package struct Refusal: Error, Hashable, Sendable {
  package var status: Int
  /// One line.
  package var reason: String
  /// What is wrong with a document, and where; empty when the fault is not in a document.
  package var problems: [PolicyProblem]
  package var headers: HeaderFields

  package init(_ status: Int, _ reason: String, problems: [PolicyProblem] = [], headers: HeaderFields = [:]) {
    self.status = status
    self.reason = reason
    self.problems = problems
    self.headers = headers
  }

  /// A document with faults. The reason of the first stands in front, as in OpenSandbox's text, its place behind it.
  init(_ prefix: String, _ problems: PolicyProblems) {
    let texts = problems.problems.map { $0.path == "$" ? $0.reason : "\($0.reason) at \($0.path)" }
    self.init(400, "\(prefix): \(texts.joined(separator: "; "))", problems: problems.problems)
  }

  package func response(_ form: ErrorForm) -> HTTPResponse {
    var response =
      switch form {
      case .text: HTTPResponse.text(status, reason.replacing("\n", with: "; ") + "\n")
      case .problem: problemResponse
      }
    for field in headers.fields { response.headers.append(field.name, field.value) }
    return response
  }

  /// RFC 9457 §3: without `type`, which then is `about:blank`, `title` is the status' own phrase.
  private var problemResponse: HTTPResponse {
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("title")
    writer.string(reasonPhrase(status))
    writer.key("status")
    writer.integer(status)
    writer.key("detail")
    writer.string(reason)
    if !problems.isEmpty {
      writer.key("errors")
      writer.beginArray()
      for problem in problems {
        writer.beginObject()
        writer.key("path")
        writer.string(problem.path)
        writer.key("reason")
        writer.string(problem.reason)
        writer.endObject()
      }
      writer.endArray()
    }
    writer.endObject()
    return HTTPResponse(
      status: status,
      headers: ["Content-Type": "application/problem+json", "X-Content-Type-Options": "nosniff"],
      body: writer.bytes + [0x0a])
  }
}
