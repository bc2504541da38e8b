import JSONText
import PodInjection
import Testing
import YAMLText

/// One document.
func yaml(_ text: String) throws -> JSONValue {
  try #require(YAMLDocument.parse(Array(text.utf8)).first).value
}

let image = "registry.example.com/sallyport@sha256:0123"

let injector = PodInjector(InjectionSettings(image: image), version: "9.9")

let plain = """
  apiVersion: v1
  kind: Pod
  metadata:
    name: sandbox
  spec:
    initContainers:
    - name: setup
      image: setup:1
    containers:
    - name: agent
      image: agent:1
      volumeMounts:
      - name: kube-api-access-x
        mountPath: /var/run/secrets/kubernetes.io/serviceaccount
      - name: work
        mountPath: /work
    volumes:
    - name: work
      emptyDir: {}
  """

@Suite("An injected pod")
struct InjectedPodTests {
  private func injected() throws -> JSONValue { try injector.inject(try yaml(plain)) }

  @Test("starts the sidecar before everything else and keeps it running beside it")
  func order() throws {
    let containers = try #require(injected()["spec"]?["initContainers"]?.array)
    #expect(containers.map { $0["name"]?.string } == ["sallyport", "setup"])
    #expect(containers[0]["restartPolicy"]?.string == "Always")
    #expect(containers[0]["startupProbe"]?["httpGet"]?["path"]?.string == "/healthz")
    #expect(containers[0]["image"]?.string == image)
  }

  @Test("gives the sidecar three capabilities and nothing to write to but its volume")
  func sidecar() throws {
    let container = try #require(injected()["spec"]?["initContainers"]?[0])
    let context = try #require(container["securityContext"])
    #expect(context["capabilities"]?["drop"]?.array == [.string("ALL")])
    #expect(context["capabilities"]?["add"]?.array == ["NET_ADMIN", "SETUID", "SETGID"].map(JSONValue.string))
    #expect(context["readOnlyRootFilesystem"]?.bool == true && context["allowPrivilegeEscalation"]?.bool == false)
    let writable = try #require(container["volumeMounts"]?.array).filter { $0["readOnly"]?.bool != true }
    #expect(writable.map { $0["name"]?.string } == ["sallyport-state"])
  }

  @Test("hardens every other container: no capability, none to gain, another user, no token, a system call filter")
  func workload() throws {
    let spec = try #require(injected()["spec"])
    let containers = [try #require(spec["initContainers"]?[1]), try #require(spec["containers"]?[0])]
    for container in containers {
      let context = try #require(container["securityContext"])
      #expect(context["capabilities"]?["drop"]?.array == [.string("ALL")])
      #expect(context["allowPrivilegeEscalation"]?.bool == false)
      #expect(context["runAsUser"]?.integer == 1_000)
      #expect(context["seccompProfile"]?["type"]?.string == "RuntimeDefault")
    }
    #expect(containers[1]["volumeMounts"]?.array?.map { $0["name"]?.string } == ["work"])
    #expect(spec["automountServiceAccountToken"]?.bool == false)
  }

  @Test("keeps what its author said about users and profiles that are safe")
  func kept() throws {
    let pod = try yaml(
      """
      kind: Pod
      spec:
        securityContext: {runAsUser: 2000, seccompProfile: {type: Localhost, localhostProfile: x.json}}
        containers:
        - name: a
          securityContext: {runAsUser: 3000, capabilities: {add: [NET_BIND_SERVICE], drop: [NET_RAW]}, runAsNonRoot: true}
        - name: b
      """)
    let containers = try #require(injector.inject(pod)["spec"]?["containers"]?.array)
    #expect(containers[0]["securityContext"]?["runAsUser"]?.integer == 3_000)
    #expect(containers[0]["securityContext"]?["capabilities"]?["add"]?.array == [.string("NET_BIND_SERVICE")])
    #expect(containers[0]["securityContext"]?["capabilities"]?["drop"]?.array == [.string("ALL")])
    #expect(containers[1]["securityContext"]?["runAsUser"] == nil)
    #expect(containers[1]["securityContext"]?["seccompProfile"] == nil)
  }

  @Test("is the same when it is injected again, also after others changed it in between")
  func idempotent() throws {
    let once = try injected()
    #expect(try injector.inject(once) == once)
    var meddled = try yaml(plain)
    guard case .object(var members) = meddled, var spec = once["spec"]?.object,
      let place = members.firstIndex(where: { $0.key == "spec" }),
      let containers = spec.firstIndex(where: { $0.key == "initContainers" }),
      case .array(var list) = spec[containers].value
    else { throw Unexpected() }
    // Somebody puts a container in front of ours, and loosens ours.
    list[0] = .object([JSONMember("name", .string("sallyport")), JSONMember("image", .string("other"))])
    list.insert(.object([JSONMember("name", .string("first"))]), at: 0)
    spec[containers].value = .array(list)
    members[place].value = .object(spec)
    meddled = .object(members)
    let again = try #require(injector.inject(meddled)["spec"]?["initContainers"]?.array)
    #expect(again.map { $0["name"]?.string } == ["sallyport", "first", "setup"])
    #expect(again[0] == once["spec"]?["initContainers"]?[0])
    #expect(again[1]["securityContext"]?["capabilities"]?["drop"]?.array == [.string("ALL")])
  }

  private struct Unexpected: Error {}

  @Test("carries settings, files and identity where the settings ask for them")
  func settings() throws {
    let document = try yaml(
      """
      image: \(image)
      imagePullPolicy: Always
      settings: {SALLYPORT_EVENTHUB_URL: "https://ns.example.com/hub", SALLYPORT_AUDIT_LEASE: 60s}
      policyConfigMap: {name: policies, key: agent.json}
      alwaysConfigMap: rules
      ownerKeysConfigMap: {name: keys}
      apiTokenSecret: {name: api}
      caConfigMap: {name: roots}
      workloadIdentity: {clientId: client, tenantId: tenant}
      """)
    let pod = try PodInjector(InjectionSettings.read(document), version: "1").inject(try yaml(plain))
    let container = try #require(pod["spec"]?["initContainers"]?[0])
    let pairs = try #require(container["env"]?.array).compactMap { entry -> (String, String)? in
      guard let name = entry["name"]?.string, let value = entry["value"]?.string else { return nil }
      return (name, value)
    }
    let environment = Dictionary(uniqueKeysWithValues: pairs)
    #expect(environment["SALLYPORT_POLICY_FILE"] == "/var/run/sallyport/policy/agent.json")
    #expect(environment["SALLYPORT_ALWAYS_DIR"] == "/var/run/sallyport/always")
    #expect(environment["SALLYPORT_OWNER_JWKS_FILE"] == "/var/run/sallyport/keys/jwks.json")
    #expect(environment["SALLYPORT_OWNER_TOKEN_FILE"] == "/var/run/sallyport/owner/token")
    #expect(environment["SALLYPORT_API_TOKEN_FILE"] == "/var/run/sallyport/api/token")
    #expect(environment["SALLYPORT_CA_FILE"] == "/var/run/sallyport/ca/ca.pem")
    #expect(environment["AZURE_FEDERATED_TOKEN_FILE"] == "/var/run/sallyport/identity/token")
    #expect(environment["SALLYPORT_AUDIT_LEASE"] == "60s")
    let volumes = Set(try #require(pod["spec"]?["volumes"]?.array).compactMap { $0["name"]?.string })
    let mounts = Set(try #require(container["volumeMounts"]?.array).compactMap { $0["name"]?.string })
    #expect(mounts.isSubset(of: volumes) && mounts.count == 8)
  }
}

@Suite("A pod that cannot be made safe")
struct RefusedPodTests {
  @Test(
    "is refused, and where and why is said",
    arguments: [
      (
        "hostNetwork: true",
        "$.spec.hostNetwork: the pod would use the node's network, which is not Sallyport's to guard"
      ),
      ("hostPID: true", "$.spec.hostPID: the workload could reach processes of the node"),
      ("hostIPC: true", "$.spec.hostIPC: the workload could reach processes of the node"),
      (
        "shareProcessNamespace: true", "$.spec.shareProcessNamespace: the workload could signal and inspect the sidecar"
      ),
      (
        "ephemeralContainers: [{name: x}]",
        "$.spec.ephemeralContainers: a debugging container joins the pod without its rules for containers"
      ),
      ("os: {name: windows}", "$.spec.os.name: the sidecar needs Linux"),
      (
        "dnsConfig: {nameservers: [192.0.2.53]}",
        "$.spec.dnsConfig.nameservers: would be the sidecar's resolvers, too; SALLYPORT_DNS_UPSTREAM in the injector's settings names the platform's"
      ),
      ("securityContext: {runAsUser: 65532}", "$.spec.securityContext.runAsUser: 65532 is the sidecar's user"),
      (
        "securityContext: {seccompProfile: {type: Unconfined}}",
        "$.spec.securityContext.seccompProfile.type: Unconfined leaves system calls open that no sandbox needs"
      ),
      (
        "securityContext: {sysctls: [{name: net.ipv4.ip_local_port_range, value: x}]}",
        "$.spec.securityContext.sysctls[0]: net.ipv4.ip_local_port_range changes the network that Sallyport guards"
      ),
      (
        "volumes: [{name: h, hostPath: {path: /}}]",
        "$.spec.volumes['h'].hostPath: a folder of the node may hold a way out: sockets, other pods' files"
      ),
    ])
  func pod(member: String, reason: String) throws {
    try expectRefused("spec:\n  \(member)\n  containers: [{name: a}]", reason)
  }

  @Test(
    "because of one of its containers is refused, and where and why is said",
    arguments: [
      (
        "securityContext: {privileged: true}",
        "securityContext.privileged: a privileged container can take the rules away"
      ),
      (
        "securityContext: {capabilities: {add: [NET_RAW]}}",
        "securityContext.capabilities.add: NET_RAW is a way around the rules, or may be"
      ),
      ("securityContext: {runAsUser: 65532}", "securityContext.runAsUser: 65532 is the sidecar's user"),
      ("securityContext: {procMount: Unmasked}", "securityContext.procMount: Unmasked opens the kernel's settings"),
      (
        "securityContext: {seccompProfile: {type: Unconfined}}",
        "securityContext.seccompProfile.type: Unconfined leaves system calls open that no sandbox needs"
      ),
      ("ports: [{containerPort: 18080}]", "ports[0].containerPort: 18080 is the sidecar's"),
      ("ports: [{containerPort: 80, hostPort: 15353}]", "ports[0].hostPort: 15353 is the sidecar's"),
      (
        "volumeMounts: [{name: sallyport-state, mountPath: /x}]",
        "volumeMounts[0]: sallyport-state is the sidecar's volume"
      ),
    ])
  func container(member: String, reason: String) throws {
    for list in ["containers", "initContainers"] {
      let other = list == "containers" ? "" : "  containers: [{name: b}]\n"
      try expectRefused("spec:\n\(other)  \(list):\n  - name: a\n    \(member)", "$.spec.\(list)[0].\(reason)")
    }
  }

  @Test("names every reason at once")
  func all() throws {
    let pod = try yaml("spec: {hostNetwork: true, hostPID: true, containers: [{name: sallyport}]}")
    let refusal = try #require(throws: InjectionRefusal.self) { try injector.inject(pod) }
    #expect(refusal.problems.map(\.path) == ["$.spec.hostNetwork", "$.spec.hostPID", "$.spec.containers[0].name"])
  }

  @Test("holds a token for the hub in the workload's reach is refused, by mount or by AKS's label")
  func tokens() throws {
    try expectRefused(
      """
      spec:
        volumes: [{name: t, projected: {sources: [{serviceAccountToken: {audience: "api://AzureADTokenExchange", path: t}}]}}]
        containers: [{name: a, volumeMounts: [{name: t, mountPath: /t}]}]
      """, "$.spec.containers[0].volumeMounts[0]: t holds a token for the hub: whoever has it can write records")
    try expectRefused(
      "metadata: {labels: {azure.workload.identity/use: \"true\"}}\nspec: {containers: [{name: a}]}",
      "$.metadata.labels['azure.workload.identity/use']: puts a token for the hub into every container; workloadIdentity in the injector's settings gives it to the sidecar alone"
    )
  }

  @Test("runs under another runtime class than those that the platform allows is refused")
  func runtimeClass() throws {
    let settings = try InjectionSettings.read(try yaml("image: x\nruntimeClasses: [kata-vm-isolation, kata]"))
    let injector = PodInjector(settings, version: "1")
    #expect(throws: InjectionRefusal.self) { try injector.inject(try yaml("spec: {containers: [{name: a}]}")) }
    #expect(throws: Never.self) {
      try injector.inject(try yaml("spec: {runtimeClassName: kata, containers: [{name: a}]}"))
    }
  }

  @Test("resolvers of its own are its workload's alone where the platform names the sidecar's")
  func ownResolvers() throws {
    let settings = try InjectionSettings.read(
      try yaml("image: \(image)\nsettings: {SALLYPORT_DNS_UPSTREAM: 10.0.0.10}"))
    let pod = try yaml("spec:\n  dnsConfig: {nameservers: [192.0.2.53]}\n  containers: [{name: a}]")
    #expect(throws: Never.self) { _ = try PodInjector(settings, version: "9.9").inject(pod) }
  }

  private func expectRefused(_ pod: String, _ reason: String) throws {
    let refusal = try #require(throws: InjectionRefusal.self) { try injector.inject(try yaml(pod)) }
    #expect(refusal.description == reason)
  }
}

@Suite("The injector's settings")
struct InjectionSettingsTests {
  @Test(
    "that are wrong are refused with their path",
    arguments: [
      ("{}", "$.image: is missing: the sidecar's image, best with its digest"),
      (
        "image: x\nimgae: z",
        "$.imgae: is not known; there are alwaysConfigMap, apiTokenSecret, caConfigMap, image, imagePullPolicy, ownerKeysConfigMap, policyConfigMap, resources, runtimeClasses, settings, sidecarUser, stateSize, workloadIdentity, workloadUser"
      ),
      ("image: x\nsidecarUser: 0", "$.sidecarUser: must be a user's number above 0"),
      ("image: x\nworkloadUser: 65532", "$.workloadUser: must not be the sidecar's user, 65532"),
      ("image: x\nsettings: {PATH: z}", "$.settings.PATH: is no setting of the sidecar"),
      ("image: x\nsettings: {SALLYPORT_RUN_AS: 5}", "$.settings.SALLYPORT_RUN_AS: is set by the injector"),
      ("image: x\nsettings: {SALLYPORT_OWNER: [a]}", "$.settings.SALLYPORT_OWNER: must be a text"),
      ("image: x\npolicyConfigMap: {key: z}", "$.policyConfigMap.name: is missing"),
      ("image: x\nworkloadIdentity: {clientId: z}", "$.workloadIdentity: needs clientId and tenantId"),
      ("image: x\nimagePullPolicy: Sometimes", "$.imagePullPolicy: must be Always, IfNotPresent or Never"),
      ("image: x\nruntimeClasses: kata", "$.runtimeClasses: must be an array of texts"),
      ("[]", "$: must be an object, not an array"),
    ])
  func refused(text: String, reason: String) throws {
    let refusal = try #require(throws: InjectionRefusal.self) { try InjectionSettings.read(try yaml(text)) }
    #expect(refusal.description == reason)
  }
}

@Suite("A manifest")
struct ManifestTests {
  @Test(
    "of each kind with a pod in it has that pod injected",
    arguments: [
      ("kind: Pod\nspec: {containers: [{name: a}]}", ["spec"]),
      ("kind: Deployment\nspec: {template: {spec: {containers: [{name: a}]}}}", ["spec", "template", "spec"]),
      (
        "kind: CronJob\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{name: a}]}}}}}",
        ["spec", "jobTemplate", "spec", "template", "spec"]
      ),
      (
        "kind: SandboxTemplate\nspec: {podTemplate: {spec: {containers: [{name: a}]}}}",
        ["spec", "podTemplate", "spec"]
      ),
    ])
  func kinds(text: String, place: [String]) throws {
    var manifest = Manifest(try yaml(text))
    try manifest.inject(injector)
    #expect(manifest.injected == 1)
    let spec = place.reduce(manifest.value as JSONValue?) { $0?[$1] }
    #expect(spec?["initContainers"]?[0]?["name"]?.string == "sallyport")
  }

  @Test("that is a list has each of its pods injected, and other objects are left as they are")
  func list() throws {
    var manifest = Manifest(
      try yaml(
        "kind: List\nitems:\n- kind: Service\n  spec: {x: 1}\n- kind: Pod\n  spec: {containers: [{name: a}]}\n- kind: Pod\n  spec: {containers: [{name: b}]}"
      ))
    try manifest.inject(injector)
    #expect(manifest.injected == 2)
    #expect(try manifest.value["items"]?[0] == yaml("kind: Service\nspec: {x: 1}"))
  }

  @Test("with pods that cannot be made safe is left alone, and all of them are named")
  func refused() throws {
    var manifest = Manifest(
      try yaml(
        "kind: List\nitems:\n- kind: Pod\n  spec: {hostPID: true, containers: [{name: a}]}\n- kind: Pod\n  spec: {containers: []}"
      ))
    let before = manifest.value
    let refusal = try #require(throws: InjectionRefusal.self) { try manifest.inject(injector) }
    #expect(refusal.problems.map(\.path) == ["$.items[0].spec.hostPID", "$.items[1].spec.containers"])
    #expect(manifest.value == before)
  }
}

@Suite("A review of the API server")
struct AdmissionReviewTests {
  private func review(_ object: String, operation: String = "CREATE", kind: String = "Pod", subresource: String? = nil)
    throws -> [UInt8]
  {
    let pod = String(decoding: try yaml(object).json(), as: UTF8.self)
    let sub = subresource.map { #""subResource":"\#($0)","# } ?? ""
    return Array(
      #"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u-1","kind":{"kind":"\#(kind)"},\#(sub)"operation":"\#(operation)","namespace":"ns","object":\#(pod)}}"#
        .utf8)
  }

  @Test("of a pod is answered with a patch that makes it what injecting makes it")
  func patched() throws {
    let question = try #require(AdmissionReview(review(plain)))
    let verdict = question.decide(injector)
    #expect(verdict.isAllowed && verdict.summary == "ns/sandbox: injected")
    let patch = try #require(verdict.patch)
    #expect(try apply(patch, to: yaml(plain)) == injector.inject(yaml(plain)))
    let answer = question.answer(verdict) { String(decoding: $0, as: UTF8.self) }
    #expect(answer["response"]?["uid"]?.string == "u-1")
    #expect(answer["response"]?["patchType"]?.string == "JSONPatch")
    #expect(answer["response"]?["allowed"]?.bool == true)
  }

  @Test("of a pod that was injected needs no patch")
  func again() throws {
    let pod = String(decoding: try injector.inject(try yaml(plain)).json(), as: UTF8.self)
    let question = try #require(AdmissionReview(review(pod)))
    #expect(question.decide(injector).isAllowed)
    #expect(question.decide(injector).patch == nil)
  }

  @Test(
    "of anything but the creation of a pod is refused",
    arguments: [
      ("CREATE", "Deployment", nil), ("UPDATE", "Pod", nil), ("UPDATE", "Pod", "ephemeralcontainers"),
      ("CREATE", "Pod", "exec"),
    ])
  func others(operation: String, kind: String, subresource: String?) throws {
    let question = try #require(
      AdmissionReview(review(plain, operation: operation, kind: kind, subresource: subresource)))
    let verdict = question.decide(injector)
    #expect(!verdict.isAllowed)
    let answer = question.answer(verdict) { _ in "" }
    #expect(answer["response"]?["status"]?["code"]?.integer == 403)
    #expect(answer["response"]?["status"]?["message"]?.string?.hasPrefix("sallyport: ") == true)
  }

  @Test("of a pod that cannot be made safe is refused with its reasons")
  func refused() throws {
    let question = try #require(AdmissionReview(review("spec: {hostNetwork: true, containers: [{name: a}]}")))
    let answer = question.answer(question.decide(injector)) { _ in "" }
    #expect(answer["response"]?["allowed"]?.bool == false)
    #expect(
      answer["response"]?["status"]?["message"]?.string
        == "sallyport: $.spec.hostNetwork: the pod would use the node's network, which is not Sallyport's to guard")
  }

  @Test(
    "that is none is not answered",
    arguments: [
      "", "{}", "[]", #"{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview","request":{"uid":"x"}}"#,
    ])
  func none(body: String) {
    #expect(AdmissionReview(Array(body.utf8)) == nil)
  }

  /// RFC 6902 as far as our patches go, written again for the test.
  private func apply(_ patch: JSONValue, to value: JSONValue) throws -> JSONValue {
    try (patch.array ?? []).reduce(value) { value, operation in
      let path = try #require(operation["path"]?.string).split(separator: "/").map(String.init)
      return changed(value, path[...], operation["op"]?.string == "remove" ? nil : operation["value"])
    }
  }

  private func changed(_ value: JSONValue, _ path: ArraySlice<String>, _ new: JSONValue?) -> JSONValue {
    guard let first = path.first, case .object(var members) = value else { return new ?? .null }
    let key = first.replacing("~1", with: "/").replacing("~0", with: "~")
    let place = members.firstIndex { $0.key == key }
    if path.count > 1 {
      guard let place else { return value }
      members[place].value = changed(members[place].value, path.dropFirst(), new)
    } else {
      if let place { members.remove(at: place) }
      if let new { members.insert(JSONMember(key, new), at: place ?? members.count) }
    }
    return .object(members)
  }
}
