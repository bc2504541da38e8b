import JSONText

/// What must be true of everything in a pod beside the sidecar.
struct PodHardening {
  let settings: InjectionSettings
  private(set) var problems: [InjectionProblem] = []

  /// Where the API server mounts the service account's token into every container.
  private static let tokenPath = "/var/run/secrets/kubernetes.io/serviceaccount"
  /// Settings of the kernel's network that a pod may ask for: neither opens a way out.
  private static let harmlessSysctls: Set<String> = [
    "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range",
  ]
  /// What the restricted pod security standard lets a container add.
  private static let harmlessCapabilities: Set<String> = ["NET_BIND_SERVICE"]

  init(_ settings: InjectionSettings) { self.settings = settings }

  /// The pod's spec, without parts of ours and with every container mended. What cannot be mended is in `problems`.
  mutating func harden(_ spec: JSONValue, at path: String) -> JSONValue {
    var spec = spec
    judgePod(spec, at: path)
    let volumes = spec.elements("volumes").filter { !isOurs($0) }
    judgeVolumes(volumes, at: path)
    spec[member: "volumes"] = volumes.isEmpty ? nil : .array(volumes)
    let tokens = Set(volumes.filter(holdsExchangeToken).compactMap { $0["name"]?.string })
    spec[member: "automountServiceAccountToken"] = .bool(false)
    for list in ["initContainers", "containers"] {
      guard let containers = spec[list]?.array else { continue }
      var mended: [JSONValue] = []
      for (place, container) in containers.enumerated() {
        if list == "initContainers", container["name"]?.string == SidecarParts.name { continue }
        let at = "\(path).\(list)[\(place)]"
        judge(container, at: at, tokens: tokens, pod: spec)
        mended.append(mend(container, pod: spec))
      }
      spec[member: list] = .array(mended)
    }
    return spec
  }

  private mutating func judgePod(_ spec: JSONValue, at path: String) {
    for (member, reason) in [
      ("hostNetwork", "the pod would use the node's network, which is not Sallyport's to guard"),
      ("hostPID", "the workload could reach processes of the node"),
      ("hostIPC", "the workload could reach processes of the node"),
      ("shareProcessNamespace", "the workload could signal and inspect the sidecar"),
    ] where spec[member]?.bool == true {
      fault("\(path).\(member)", reason)
    }
    if !spec.elements("ephemeralContainers").isEmpty {
      fault("\(path).ephemeralContainers", "a debugging container joins the pod without its rules for containers")
    }
    if spec["os"]?["name"]?.string == "windows" { fault("\(path).os.name", "the sidecar needs Linux") }
    let runtime = spec["runtimeClassName"]?.string
    if !settings.runtimeClasses.isEmpty, !settings.runtimeClasses.contains(runtime ?? "") {
      fault(
        "\(path).runtimeClassName",
        "\(runtime ?? "none") would share the node's kernel; one of \(settings.runtimeClasses.joined(separator: ", ")) is needed"
      )
    }
    // Whoever answers the sidecar's questions decides where an allowed name leads: to any public address.
    if !settings.settings.contains(where: { $0.name == "SALLYPORT_DNS_UPSTREAM" }),
      !(spec["dnsConfig"]?.elements("nameservers") ?? []).isEmpty
    {
      fault(
        "\(path).dnsConfig.nameservers",
        "would be the sidecar's resolvers, too; SALLYPORT_DNS_UPSTREAM in the injector's settings names the platform's")
    }
    let context = spec["securityContext"]
    judgeUser(context, at: "\(path).securityContext")
    judgeProfile(context, at: "\(path).securityContext")
    for (place, sysctl) in (context?.elements("sysctls") ?? []).enumerated() {
      let name = sysctl["name"]?.string ?? ""
      guard name.hasPrefix("net."), !Self.harmlessSysctls.contains(name) else { continue }
      fault("\(path).securityContext.sysctls[\(place)]", "\(name) changes the network that Sallyport guards")
    }
  }

  private mutating func judgeVolumes(_ volumes: [JSONValue], at path: String) {
    for volume in volumes where volume["hostPath"] != nil {
      fault(
        "\(path).volumes['\(volume["name"]?.string ?? "")'].hostPath",
        "a folder of the node may hold a way out: sockets, other pods' files")
    }
  }

  private mutating func judge(_ container: JSONValue, at path: String, tokens: Set<String>, pod: JSONValue) {
    let context = container["securityContext"]
    let at = "\(path).securityContext"
    if container["name"]?.string == SidecarParts.name {
      fault("\(path).name", "\(SidecarParts.name) is the sidecar's name")
    }
    if context?["privileged"]?.bool == true {
      fault("\(at).privileged", "a privileged container can take the rules away")
    }
    for capability in context?["capabilities"]?.elements("add") ?? [] {
      let name = capability.string ?? ""
      guard !Self.harmlessCapabilities.contains(name) else { continue }
      fault("\(at).capabilities.add", "\(name) is a way around the rules, or may be")
    }
    if let mask = context?["procMount"]?.string, mask != "Default" {
      fault("\(at).procMount", "\(mask) opens the kernel's settings")
    }
    judgeUser(context, at: at)
    judgeProfile(context, at: at)
    for (place, port) in container.elements("ports").enumerated() {
      for member in ["containerPort", "hostPort"] {
        guard let number = port[member]?.integer, SidecarParts.ports.contains(number) else { continue }
        fault("\(path).ports[\(place)].\(member)", "\(number) is the sidecar's")
      }
    }
    for (place, mount) in container.elements("volumeMounts").enumerated() {
      let name = mount["name"]?.string ?? ""
      if name.hasPrefix(SidecarParts.volumePrefix) {
        fault("\(path).volumeMounts[\(place)]", "\(name) is the sidecar's volume")
      } else if tokens.contains(name) {
        fault("\(path).volumeMounts[\(place)]", "\(name) holds a token for the hub: whoever has it can write records")
      }
    }
  }

  private mutating func judgeUser(_ context: JSONValue?, at path: String) {
    if context?["runAsUser"]?.integer == settings.sidecarUser {
      fault("\(path).runAsUser", "\(settings.sidecarUser) is the sidecar's user")
    }
  }

  private mutating func judgeProfile(_ context: JSONValue?, at path: String) {
    if context?["seccompProfile"]?["type"]?.string == "Unconfined" {
      fault("\(path).seccompProfile.type", "Unconfined leaves system calls open that no sandbox needs")
    }
  }

  private func mend(_ container: JSONValue, pod: JSONValue) -> JSONValue {
    var container = container
    var context = container[object: "securityContext"]
    if context == .null { context = .object([]) }
    context[member: "allowPrivilegeEscalation"] = .bool(false)
    var capabilities = context[object: "capabilities"]
    if capabilities == .null { capabilities = .object([]) }
    capabilities[member: "drop"] = .strings(["ALL"])
    context[member: "capabilities"] = capabilities
    if context["runAsUser"] == nil, pod["securityContext"]?["runAsUser"] == nil {
      context[member: "runAsUser"] = .number(settings.workloadUser)
    }
    if context["seccompProfile"] == nil, pod["securityContext"]?["seccompProfile"] == nil {
      context[member: "seccompProfile"] = .object(("type", .string("RuntimeDefault")))
    }
    container[member: "securityContext"] = context
    if let mounts = container["volumeMounts"]?.array {
      let kept = mounts.filter { $0["mountPath"]?.string != Self.tokenPath }
      container[member: "volumeMounts"] = kept.isEmpty ? nil : .array(kept)
    }
    return container
  }

  private func isOurs(_ volume: JSONValue) -> Bool {
    volume["name"]?.string?.hasPrefix(SidecarParts.volumePrefix) ?? false
  }

  private func holdsExchangeToken(_ volume: JSONValue) -> Bool {
    (volume["projected"]?.elements("sources") ?? []).contains {
      $0["serviceAccountToken"]?["audience"]?.string == SidecarParts.exchangeAudience
    }
  }

  private mutating func fault(_ path: String, _ reason: String) { problems.append(InjectionProblem(path, reason)) }
}
