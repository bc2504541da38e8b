import JSONText

/// An object of a manifest file, and the pods in it.
package struct Manifest {
  /// Where the pod stands in each kind that has one.
  private static let places: [String: [String]] = [
    "Pod": [], "PodTemplate": ["template"], "Deployment": ["spec", "template"], "ReplicaSet": ["spec", "template"],
    "StatefulSet": ["spec", "template"], "DaemonSet": ["spec", "template"],
    "ReplicationController": ["spec", "template"],
    "Job": ["spec", "template"], "CronJob": ["spec", "jobTemplate", "spec", "template"],
    // kubernetes-sigs/agent-sandbox.
    "Sandbox": ["spec", "podTemplate"], "SandboxTemplate": ["spec", "podTemplate"],
  ]

  /// Lists inside one another: `List` holds objects, and nobody nests them.
  private static let listDepthMax = 4

  package private(set) var value: JSONValue
  /// How many pods were injected.
  package private(set) var injected = 0

  package init(_ value: JSONValue) { self.value = value }

  /// Injects every pod there is; other objects stay as they are.
  ///
  /// Throws: `InjectionRefusal` with the reasons of all pods that cannot be made safe; then nothing was changed.
  package mutating func inject(_ injector: PodInjector) throws(InjectionRefusal) {
    var problems: [InjectionProblem] = []
    let result = inject(value, at: "$", depth: 0, injector, &problems)
    guard problems.isEmpty else { throw InjectionRefusal(problems: problems) }
    value = result
  }

  private mutating func inject(
    _ object: JSONValue, at path: String, depth: Int, _ injector: PodInjector, _ problems: inout [InjectionProblem]
  ) -> JSONValue {
    guard let kind = object["kind"]?.string else {
      problems.append(InjectionProblem("\(path).kind", "is missing: this is no Kubernetes object"))
      return object
    }
    if kind == "List" || kind.hasSuffix("List"), let items = object["items"]?.array, depth < Self.listDepthMax {
      var list = object
      var injectedItems: [JSONValue] = []
      for (place, item) in items.enumerated() {
        injectedItems.append(inject(item, at: "\(path).items[\(place)]", depth: depth + 1, injector, &problems))
      }
      list[member: "items"] = .array(injectedItems)
      return list
    }
    guard let place = Self.places[kind] else { return object }
    return inject(object, place[...], at: path, injector, &problems)
  }

  private mutating func inject(
    _ object: JSONValue, _ place: ArraySlice<String>, at path: String, _ injector: PodInjector,
    _ problems: inout [InjectionProblem]
  ) -> JSONValue {
    guard let member = place.first else {
      do throws(InjectionRefusal) {
        let pod = try injector.inject(object, at: path)
        injected += 1
        return pod
      } catch {
        problems += error.problems
        return object
      }
    }
    guard let inner = object[member] else {
      problems.append(InjectionProblem("\(path).\(member)", "is missing"))
      return object
    }
    var changed = object
    changed[member: member] = inject(inner, place.dropFirst(), at: "\(path).\(member)", injector, &problems)
    return changed
  }
}
