// swift-tools-version: 6.2
// Targets stand in the order in which the README reads them: the words of the field first, then the decisions,
// then the machine that composes them, then the edge where C and the kernel are, then the executables.
import PackageDescription

/// Held by every target: Swift 6 mode comes with the tools version.
let settings: [SwiftSetting] = [
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

/// A module of the core: no C, no clock, no randomness, no `async`. `.ci/check-imports` refuses what is not declared here.
func core(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

let package = Package(
  name: "Sallyport",
  products: [
    .executable(name: "sallyport", targets: ["sallyport"]),
    .executable(name: "eventhub-local", targets: ["eventhub-local"]),
  ],
  targets: [
    // The field's words.
    core("Addressing"),
    core("Timekeeping"),
    core("JSONText"),
    core("YAMLText", ["JSONText"]),
    core("HTTPWire"),
    core("DNSWire", ["Addressing"]),
    core("EgressPolicy", ["Addressing", "DNSWire", "JSONText", "Timekeeping"]),

    // The decisions.
    core("OwnerIdentity", ["Timekeeping", "JSONText"]),
    core("DNSProxy", ["Addressing", "DNSWire", "EgressPolicy", "Timekeeping"]),
    core("Firewall", ["Addressing", "DNSWire", "EgressPolicy", "Timekeeping"]),
    core("FlowAudit", ["Addressing", "JSONText", "OwnerIdentity", "Timekeeping"]),
    core("RecordProof", ["FlowAudit", "JSONText"]),
    core("Spool", ["Timekeeping"]),
    core("Forwarder", ["HTTPWire", "JSONText", "Spool", "Timekeeping"]),
    core("PolicyAPI", ["Addressing", "DNSWire", "EgressPolicy", "HTTPWire", "JSONText", "Timekeeping"]),
    core("PodInjection", ["JSONText"]),

    // The one machine: event in, effects out.
    core(
      "Sidecar",
      [
        "Addressing", "DNSProxy", "DNSWire", "EgressPolicy", "Firewall", "FlowAudit", "Forwarder", "HTTPWire",
        "JSONText", "OwnerIdentity", "PolicyAPI", "Spool", "Timekeeping",
      ]),

    // The edge: the only modules with C and `unsafe`.
    .target(name: "CLinux"),
    .systemLibrary(
      name: "CNetlink", pkgConfig: "libnftnl libmnl", providers: [.apt(["libnftnl-dev", "libmnl-dev"])]),
    .systemLibrary(name: "COpenSSL", pkgConfig: "libssl libcrypto", providers: [.apt(["libssl-dev"])]),
    .target(name: "LinuxIO", dependencies: ["CLinux", "Addressing", "Timekeeping"], swiftSettings: settings),
    .target(
      name: "Netfilter",
      dependencies: ["CNetlink", "CLinux", "LinuxIO", "Addressing", "Firewall", "FlowAudit", "Timekeeping"],
      swiftSettings: settings),
    .target(
      name: "Transport",
      dependencies: ["COpenSSL", "LinuxIO", "Addressing", "HTTPWire", "Timekeeping"], swiftSettings: settings),

    // The shell.
    .target(
      name: "Configuration",
      dependencies: ["Addressing", "DNSWire", "EgressPolicy", "OwnerIdentity", "Timekeeping"], swiftSettings: settings),
    .target(
      name: "Daemon",
      dependencies: [
        "Addressing", "Configuration", "DNSProxy", "DNSWire", "EgressPolicy", "Firewall", "FlowAudit", "Forwarder",
        "HTTPWire", "JSONText", "LinuxIO", "Netfilter", "OwnerIdentity", "PolicyAPI", "Sidecar", "Spool", "Timekeeping",
        "Transport",
      ], swiftSettings: settings),
    .executableTarget(
      name: "sallyport",
      dependencies: [
        "Addressing", "Configuration", "Daemon", "DNSWire", "EgressPolicy", "FlowAudit", "HTTPWire", "JSONText",
        "LinuxIO",
        "OwnerIdentity", "PodInjection", "RecordProof", "Sidecar", "Timekeeping", "Transport", "YAMLText",
      ], swiftSettings: settings),
    .executableTarget(
      name: "eventhub-local",
      dependencies: ["Addressing", "HTTPWire", "JSONText", "LinuxIO", "Timekeeping", "Transport"],
      swiftSettings: settings),

    // The simulated world: kernel, disk, hub, resolver and workload from a seed. Never shipped.
    .target(
      name: "Simulation",
      dependencies: [
        "Addressing", "DNSProxy", "DNSWire", "EgressPolicy", "Firewall", "FlowAudit", "Forwarder", "HTTPWire",
        "OwnerIdentity", "PolicyAPI", "Sidecar", "Spool", "Timekeeping",
      ], path: "Tests/Simulation", swiftSettings: settings),

    // Runs of the simulated world, seed after seed, as fast as they go. Never shipped.
    .executableTarget(
      name: "simulation", dependencies: ["LinuxIO", "Simulation"], path: "Tests/SimulationRun", exclude: ["run"],
      swiftSettings: settings),

    // What the benchmark times inside one process. Never shipped.
    .executableTarget(
      name: "policy-benchmark", dependencies: ["DNSWire", "EgressPolicy", "LinuxIO", "Timekeeping"],
      path: "Tests/Benchmarks/Policy", swiftSettings: settings),
    .executableTarget(
      name: "lease-benchmark",
      dependencies: ["Addressing", "DNSWire", "EgressPolicy", "Firewall", "LinuxIO", "Netfilter", "Timekeeping"],
      path: "Tests/Benchmarks/Leases", swiftSettings: settings),

    // Tests, in the same order.
    tests("AddressingTests", ["Addressing"]),
    tests("TimekeepingTests", ["Timekeeping"]),
    tests("JSONTextTests", ["JSONText"]),
    tests("YAMLTextTests", ["YAMLText", "JSONText"]),
    tests("HTTPWireTests", ["HTTPWire"]),
    tests("DNSWireTests", ["DNSWire", "Addressing"]),
    tests("EgressPolicyTests", ["EgressPolicy", "Addressing", "DNSWire", "JSONText", "Timekeeping"]),
    tests("OwnerIdentityTests", ["OwnerIdentity", "Timekeeping", "JSONText"]),
    tests("DNSProxyTests", ["DNSProxy", "Addressing", "DNSWire", "EgressPolicy", "Timekeeping"]),
    tests("FirewallTests", ["Firewall", "Addressing", "DNSWire", "EgressPolicy", "Timekeeping"]),
    tests("FlowAuditTests", ["FlowAudit", "Addressing", "JSONText", "OwnerIdentity", "Timekeeping"]),
    tests("RecordProofTests", ["RecordProof", "FlowAudit", "JSONText", "OwnerIdentity", "Timekeeping", "Transport"]),
    .testTarget(
      name: "SpoolTests", dependencies: ["Spool", "Timekeeping"], exclude: ["Golden"], swiftSettings: settings),
    tests("ForwarderTests", ["Forwarder", "HTTPWire", "JSONText", "Spool", "Timekeeping"]),
    tests(
      "PolicyAPITests", ["PolicyAPI", "Addressing", "DNSWire", "EgressPolicy", "HTTPWire", "JSONText", "Timekeeping"]),
    tests("PodInjectionTests", ["PodInjection", "JSONText", "YAMLText"]),
    tests(
      "SidecarTests",
      [
        "Sidecar", "Simulation", "Addressing", "DNSProxy", "DNSWire", "EgressPolicy", "Firewall", "FlowAudit",
        "Forwarder", "HTTPWire", "JSONText", "OwnerIdentity", "PolicyAPI", "Spool", "Timekeeping",
      ]),
    tests("SimulationTests", ["Simulation"]),
    tests("LinuxIOTests", ["LinuxIO", "Addressing", "Timekeeping"]),
    tests("TransportTests", ["Transport", "LinuxIO", "Addressing", "HTTPWire", "JSONText", "Timekeeping"]),
    tests("ConfigurationTests", ["Configuration", "Addressing", "OwnerIdentity", "Timekeeping"]),
    tests(
      "KernelTests",
      [
        "Netfilter", "CLinux", "LinuxIO", "Addressing", "DNSWire", "EgressPolicy", "Firewall", "FlowAudit",
        "Timekeeping",
      ]),
  ]
)
