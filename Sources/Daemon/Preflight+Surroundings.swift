import Configuration
import LinuxIO

/// The machine, the pod and the files that it gives us.
extension Preflight {
  /// What /proc and /sys give is short: 64 KiB.
  private static let textMax = 64 << 10
  /// Processes that are looked at: 4,096, more than a pod has.
  private static let processesMax = 4_096

  private func text(_ path: String) -> String? {
    guard let bytes = try? File.readWhole(path, limit: Self.textMax) else { return nil }
    return String(decoding: bytes, as: UTF8.self)
  }

  private func line(_ path: String) -> String? {
    text(path)?.split(separator: "\n", omittingEmptySubsequences: true).first.map(String.init)
  }

  /// AKS's Kata guests run on Cloud Hypervisor with a kernel whose release says `mshv`; Kata's agent is named on the kernel's command line.
  mutating func checkMachine() {
    let release = line("/proc/sys/kernel/osrelease") ?? "of unknown release"
    let product = [line("/sys/class/dmi/id/sys_vendor"), line("/sys/class/dmi/id/product_name")].compactMap { $0 }
      .joined(separator: " ")
    let command = text("/proc/cmdline") ?? ""
    let isKata =
      release.contains("mshv") || product.contains("Cloud Hypervisor") || command.contains("kata")
      || command.contains(" agent.")
    let machine = product.isEmpty ? release : "\(release) on \(product)"
    if isKata {
      add("kernel", .ok, "\(machine), a Kata guest")
    } else {
      add(
        "kernel", .degraded, "\(machine) is not a known Kata guest: this pod may be running without VM isolation",
        remedy: "set the pod's runtimeClassName to that of Kata")
    }
  }

  mutating func checkFamilies() {
    let isOff = line("/proc/sys/net/ipv6/conf/all/disable_ipv6") != "0"
    if isOff {
      add("IPv6", .ok, "off in this pod; its rules are loaded all the same")
      return
    }
    let zeros = String(repeating: "0", count: 32)
    let hasRoute = (text("/proc/net/ipv6_route") ?? "").split(separator: "\n").contains { line in
      line.hasPrefix("\(zeros) 00 ") && !line.hasSuffix(" lo")
    }
    add("IPv6", .ok, hasRoute ? "on, with a default route" : "on, without a default route")
  }

  /// Whoever shares this network and may do what no workload should. Processes of other containers are seen only where they share the process namespace too.
  mutating func checkNeighbours() {
    let user = configuration?.runAs ?? 65_532
    var strong: [String] = []
    var same: [String] = []
    for process in ProcessIdentity.neighbours(atMost: Self.processesMax) {
      if process.effective & (1 << 12 | 1 << 13) != 0 { strong.append(process.description) }
      if process.user == user { same.append(process.description) }
    }
    if strong.isEmpty, same.isEmpty {
      add("neighbours", .ok, "no other process is seen in this network that could pass the rules")
    }
    if !strong.isEmpty {
      add(
        "neighbours", .degraded, "processes with NET_ADMIN or NET_RAW share this network: \(listed(strong))",
        remedy: "run the workload with all capabilities dropped and no_new_privs")
    }
    if !same.isEmpty {
      add(
        "neighbours", .degraded, "processes of uid \(user), which is the daemon's own: \(listed(same))",
        remedy: "give the workload another uid, or set SALLYPORT_RUN_AS")
    }
  }

  private func listed(_ names: [String]) -> String {
    names.prefix(5).joined(separator: ", ") + (names.count > 5 ? " and \(names.count - 5) more" : "")
  }

  mutating func checkFiles() {
    guard let configuration else { return }
    checkState(configuration)
    switch configuration.hubCredential {
    case .tokenFile(let path): checkSecret("hub token", path)
    case .workloadIdentity where configuration.hub != nil:
      if let path = configuration.workloadIdentity.federatedTokenFile {
        checkSecret("federated token", path)
      } else {
        add(
          "federated token", .degraded, "AZURE_FEDERATED_TOKEN_FILE is not set: records cannot be delivered",
          remedy:
            "mount a projected service account token with audience api://AzureADTokenExchange into the sidecar alone")
      }
    default: break
    }
    if let path = configuration.ownerTokenFile {
      checkSecret("owner token", path)
      checkIsUpdated("owner token", path)
    } else if configuration.owner == nil {
      add(
        "owner", .degraded,
        configuration.isOwnerRequired
          ? "nobody is bound: all egress is denied until someone is" : "nobody is bound: records will say unbound",
        remedy: "set SALLYPORT_OWNER or SALLYPORT_OWNER_TOKEN_FILE")
    }
    if let path = configuration.ownerKeysFile, (try? File.readWhole(path, limit: 1 << 20)) == nil {
      add("owner keys", .degraded, "\(path) cannot be read", remedy: "mount the keys there")
    }
  }

  private mutating func checkState(_ configuration: Configuration) {
    let path = configuration.stateDirectory
    do throws(Errno) {
      let directory = try Directory(path, create: true)
      let free = try directory.freeOctets()
      if free < configuration.spoolMax.octets {
        add(
          "state directory", .degraded,
          "\(path) has \(free >> 20) MiB left, and SALLYPORT_SPOOL_MAX is \(configuration.spoolMax)",
          remedy: "give the volume more room, or make the spool smaller")
      } else {
        add("state directory", .ok, "\(path), \(free >> 20) MiB free")
      }
    } catch {
      add("state directory", .missing, "\(path): \(error)", remedy: "mount a volume there that the daemon may write to")
    }
  }

  private mutating func checkSecret(_ name: String, _ path: String) {
    do throws(Errno) {
      let file = try File(reading: path)
      let mode = try file.permissions()
      let bytes = try file.read(at: 0, count: 1)
      if bytes.isEmpty {
        add(name, .degraded, "\(path) is empty", remedy: "look what should write it")
      } else if mode & 0o004 != 0 {
        add(name, .degraded, "\(path) can be read by everybody", remedy: "mount it into the sidecar alone, mode 0400")
      } else {
        add(name, .ok, "\(path) is there")
      }
    } catch {
      add(name, .degraded, "\(path): \(error)", remedy: "mount it there: identity is not provable without it")
    }
  }

  /// Kubernetes changes a volume by turning the link `..data` beside the files; a subPath mount has none and never changes.
  private mutating func checkIsUpdated(_ name: String, _ path: String) {
    guard let slash = path.lastIndex(of: "/"), (try? Directory("\(path[..<slash])/..data")) == nil else { return }
    add(
      name, .degraded, "\(path) is no file of a volume that Kubernetes updates",
      remedy: "mount the whole volume, without subPath")
  }
}
