import JSONText

/// Turns a pod into one whose only way out is Sallyport.
package struct PodInjector: Sendable {
  /// Written into every injected pod: which version did it.
  package static let versionAnnotation = "sallyport.dev/injected"
  /// AKS's webhook puts a token for Entra into every container of a pod with this label.
  private static let workloadIdentityLabel = "azure.workload.identity/use"

  private let settings: InjectionSettings
  private let version: String

  package init(_ settings: InjectionSettings, version: String) {
    self.settings = settings
    self.version = version
  }

  /// A Pod, or the template of one: an object with `metadata` and `spec`. Injecting what was injected changes nothing.
  ///
  /// - Parameter path: where the pod stands, for what is said about it.
  ///
  /// Throws: `InjectionRefusal` with every reason why the pod cannot be made safe.
  package func inject(_ pod: JSONValue, at path: String = "$") throws(InjectionRefusal) -> JSONValue {
    guard let spec = pod["spec"], spec.object != nil, let containers = spec["containers"]?.array, !containers.isEmpty
    else {
      throw InjectionRefusal(problems: [InjectionProblem("\(path).spec.containers", "a pod has at least one container")]
      )
    }
    var hardening = PodHardening(settings)
    var hardened = hardening.harden(spec, at: "\(path).spec")
    var problems = hardening.problems
    if pod["metadata"]?["labels"]?[Self.workloadIdentityLabel]?.string == "true" {
      problems.append(
        InjectionProblem(
          "\(path).metadata.labels['\(Self.workloadIdentityLabel)']",
          "puts a token for the hub into every container; workloadIdentity in the injector's settings gives it to the sidecar alone"
        ))
    }
    guard problems.isEmpty else { throw InjectionRefusal(problems: problems) }

    let parts = SidecarParts(settings: settings)
    // First of all: an init container in front of it would run without rules.
    hardened[member: "initContainers"] = .array([parts.container] + hardened.elements("initContainers"))
    hardened[member: "volumes"] = .array(hardened.elements("volumes") + parts.volumes)
    var injected = pod
    injected[member: "spec"] = hardened
    var metadata = injected[object: "metadata"]
    var annotations = metadata[object: "annotations"]
    if annotations == .null { annotations = .object([]) }
    annotations[member: Self.versionAnnotation] = .string(version)
    metadata[member: "annotations"] = annotations
    injected[member: "metadata"] = metadata
    return injected
  }
}
