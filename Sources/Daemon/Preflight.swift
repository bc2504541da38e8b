import Addressing
import Configuration
import Firewall
import LinuxIO
import Netfilter

/// `sallyport doctor`: looks at everything that enforcement and the record of it stand on, changes nothing that stays, and says what to do.
///
/// In a pod that is enforced already it makes no table of its own (that would be tampering), and its look-ups go the workload's way.
package struct Preflight {
  /// Nil when the settings are wrong: then they are a check of their own, and what depends on them is looked at with defaults.
  let configuration: Configuration?
  private(set) var report = PreflightReport()
  /// Whether the rules stand already.
  private(set) var isEnforced = false

  package static func run(_ configuration: Configuration?, problems: [String]) -> PreflightReport {
    var preflight = Preflight(configuration: configuration)
    preflight.run(problems)
    return preflight.report
  }

  private init(configuration: Configuration?) { self.configuration = configuration }

  private mutating func run(_ problems: [String]) {
    if problems.isEmpty {
      add("configuration", .ok, "every setting is understood")
    } else {
      for problem in problems { add("configuration", .missing, problem, remedy: "correct the setting") }
    }
    checkMachine()
    let mayLook = checkPrivileges()
    if mayLook, checkTables() {
      checkFeatures()
      checkForeignNat()
      checkSteering()
    }
    checkFamilies()
    checkNeighbours()
    checkNameservers()
    checkHub()
    checkFiles()
  }

  mutating func add(
    _ name: String, _ status: PreflightReport.Status, _ detail: String, remedy: String? = nil
  ) {
    report.add(name, status, detail, remedy: remedy)
  }

  /// False: without NET_ADMIN the kernel shows nothing.
  private mutating func checkPrivileges() -> Bool {
    let user = configuration?.runAs ?? 65_532
    let mayLook = ProcessIdentity.has(.networkAdministration)
    if mayLook {
      add("NET_ADMIN", .ok, "in effect")
    } else {
      add(
        "NET_ADMIN", .missing,
        "not in effect: an injector or an admission policy removed it, or the container does not start as uid 0",
        remedy: "start the container as uid 0 with capabilities NET_ADMIN, SETUID and SETGID added")
    }
    let own = ProcessIdentity.effectiveUser
    if own == user {
      add("uid", .ok, "runs as \(user) already")
    } else if own == 0, ProcessIdentity.has(.setUser), ProcessIdentity.has(.setGroup) {
      add("uid", .ok, "can become \(user)")
    } else {
      add(
        "uid", .missing, "uid \(own) cannot become \(user)",
        remedy: "start as uid 0 with SETUID and SETGID, or as uid \(user) with NET_ADMIN in effect")
    }
    return mayLook
  }

  /// False: the kernel has no nf_tables, or does not let us.
  private mutating func checkTables() -> Bool {
    do throws(NetlinkError) {
      isEnforced = try NftablesSocket().hasTable()
      add("nf_tables", .ok, isEnforced ? "there; table inet sallyport stands" : "there")
      return true
    } catch {
      let (detail, remedy) =
        error.isRefusal
        ? ("\(error)", "give the container NET_ADMIN in the network namespace of the pod")
        : ("this kernel has none: \(error)", "use Kata 3.21 or newer, or an AKS node image of September 2025 or newer")
      add("nf_tables", .missing, detail, remedy: remedy)
      return false
    }
  }

  /// Each in a batch of its own that the kernel looks at and does not keep.
  private mutating func checkFeatures() {
    guard let probe = try? FeatureProbe() else { return }
    for feature in KernelFeature.allCases {
      let isNeeded = KernelFeature.required.contains(feature)
      if let missing = probe.missing([feature]).first {
        if isNeeded {
          add(
            "kernel feature \(feature.rawValue)", .missing, missing.refusal.reason,
            remedy: "use a kernel that has it; AKS's and upstream's Kata guests do")
        } else {
          add("kernel feature \(feature.rawValue)", .ok, "not there, and nothing needs it")
        }
      } else {
        add("kernel feature \(feature.rawValue)", .ok, isNeeded ? "there" : "there, and nothing needs it")
      }
    }
    if configuration?.kernelProfile == .aksKata66 {
      add("kernel profile", .ok, "aks-kata-6.6: the ruleset uses nothing outside it")
    }
  }

  private mutating func checkForeignNat() {
    guard let foreign = try? NftablesSocket().foreignOutputNat() else { return }
    for chain in foreign {
      add(
        "nat OUTPUT", .missing, "another interception layer is present: \(chain)",
        remedy: "keep it out of this pod; what it redirects would not be seen")
    }
    if foreign.isEmpty { add("nat OUTPUT", .ok, "nobody else's rules") }
  }
}
