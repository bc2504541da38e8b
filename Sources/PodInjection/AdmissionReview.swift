import JSONText

/// A question of the API server (admission.k8s.io/v1 AdmissionReview), and the answer.
package struct AdmissionReview {
  /// Octets of a review: 4 MiB, some more than the API server's own limit of 3 MiB for a request.
  package static let sizeMax = 4 << 20

  private let request: JSONValue
  private let uid: String

  /// Nil when the body is none; then only an HTTP error can be answered.
  package init?(_ body: [UInt8]) {
    let limits = JSONLimits(depthMax: 128, sizeMax: Self.sizeMax)
    guard let review = try? JSONValue.parse(body, limits: limits),
      review["apiVersion"]?.string == "admission.k8s.io/v1", review["kind"]?.string == "AdmissionReview",
      let request = review["request"], let uid = request["uid"]?.string, !uid.isEmpty
    else { return nil }
    self.request = request
    self.uid = uid
  }

  /// What was decided.
  package struct Verdict: Hashable, Sendable {
    package var isAllowed: Bool
    /// One line: what, about whom, why.
    package var summary: String
    /// The operations for the API server; nil when nothing changes.
    package var patch: JSONValue?
    fileprivate var message: String?
  }

  /// Whatever is not the creation of a pod that can be made safe is refused: the webhook is asked about nothing else.
  package func decide(_ injector: PodInjector) -> Verdict {
    let kind = request["kind"]?["kind"]?.string ?? ""
    let subresource = request["subResource"]?.string ?? ""
    let operation = request["operation"]?.string ?? ""
    let object = request["object"] ?? .null
    let name = object["metadata"]?["name"]?.string ?? object["metadata"]?["generateName"]?.string ?? ""
    let subject = "\(request["namespace"]?.string ?? "")/\(name)"
    if subresource == "ephemeralcontainers" {
      return refusal(
        subject,
        "a debugging container could take what the pod's own containers were denied: see $.spec.ephemeralContainers")
    }
    guard kind == "Pod", subresource.isEmpty, operation == "CREATE" else {
      return refusal(
        subject, "the injector judges the creation of pods, and this is \(operation) of \(kind)/\(subresource)")
    }
    do throws(InjectionRefusal) {
      let injected = try injector.inject(object)
      let patch = JSONPatch.difference(from: object, to: injected)
      let isSame = patch == .array([])
      return Verdict(
        isAllowed: true, summary: "\(subject): \(isSame ? "was injected before" : "injected")",
        patch: isSame ? nil : patch)
    } catch {
      return refusal(subject, error.problems.map(\.description).joined(separator: "; "))
    }
  }

  /// The review that answers. `base64`: RFC 4648 §4, which the API server wants the patch in.
  package func answer(_ verdict: Verdict, base64: ([UInt8]) -> String) -> JSONValue {
    var response = JSONValue.object(("uid", .string(uid)), ("allowed", .bool(verdict.isAllowed)))
    if let patch = verdict.patch {
      response[member: "patchType"] = .string("JSONPatch")
      response[member: "patch"] = .string(base64(patch.json()))
    }
    if let message = verdict.message {
      response[member: "status"] = .object(
        ("code", .number(403)), ("reason", .string("Forbidden")), ("message", .string("sallyport: \(message)")))
    }
    return .object(
      ("apiVersion", .string("admission.k8s.io/v1")), ("kind", .string("AdmissionReview")), ("response", response))
  }

  private func refusal(_ subject: String, _ reason: String) -> Verdict {
    Verdict(isAllowed: false, summary: "\(subject): refused: \(reason)", patch: nil, message: reason)
  }
}
