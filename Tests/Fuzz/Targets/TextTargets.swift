import Addressing
import Configuration
import DNSWire
import EgressPolicy
import JSONText
import PodInjection
import Timekeeping
import YAMLText

extension FuzzTarget {
  /// JSON: what is accepted is written back and reads as the same, and nothing deeper or longer than the limits is accepted.
  static let jsonText = FuzzTarget(name: "json-text", octetsMax: 4_096) { octets in
    do throws(JSONError) {
      let value = try JSONValue.parse(octets)
      require((try? JSONValue.parse(value.json())) == value, "JSON that does not read back")
      require(depth(of: value) <= JSONLimits.standard.depthMax, "deeper than the limit")
    } catch {
      require(error.offset <= octets.count && error.line >= 1 && error.column >= 1, "a fault outside the text")
    }
  }

  private static func depth(of value: JSONValue) -> Int {
    switch value {
    case .array(let elements): 1 + (elements.map(depth).max() ?? 0)
    case .object(let members): 1 + (members.map { depth(of: $0.value) }.max() ?? 0)
    default: 0
    }
  }

  /// YAML of manifests: the values are JSON's, and written as YAML they read as the same.
  static let yamlText = FuzzTarget(name: "yaml-text", octetsMax: 2_048) { octets in
    do throws(YAMLError) {
      let documents = try YAMLDocument.parse(octets)
      var writer = YAMLWriter()
      for document in documents {
        require((try? JSONValue.parse(document.value.json(), limits: yamlLimits)) == document.value, "no value of JSON")
        writer.document(document.value)
      }
      let again = try? YAMLDocument.parse(Array(writer.text.utf8))
      require(again?.map(\.value) == documents.map(\.value), "YAML that does not read back:\n\(writer.text)")
    } catch {
      require(error.line >= 1 && error.column >= 1 && !error.reason.isEmpty, "a fault without a place")
    }
  }

  private static let yamlLimits = JSONLimits(depthMax: 2 * YAMLError.depthMax, sizeMax: 1 << 24)

  /// An admission review: it is answered, what is injected is injected once, and what cannot be made safe is refused with its reason.
  static let admissionReview = FuzzTarget(name: "admission-review", octetsMax: 4_096) { octets in
    let injector = PodInjector(InjectionSettings(image: "sallyport:fuzz"), version: "fuzz")
    if let review = AdmissionReview(octets) {
      let verdict = review.decide(injector)
      require(verdict.isAllowed || verdict.patch == nil, "a refusal with a patch")
      let answer = review.answer(verdict) { String($0.count) }
      require(answer["response"]?["allowed"] == .bool(verdict.isAllowed), "another answer than the verdict")
      require(answer["response"]?["uid"]?.string?.isEmpty == false, "an answer to nobody")
    }
    guard let pod = try? JSONValue.parse(octets), let injected = try? injector.inject(pod) else { return }
    require((try? injector.inject(injected)) == injected, "injecting twice is not injecting once")
    let first = injected["spec"]?["initContainers"]?[0]
    require(first?["image"]?.string == "sallyport:fuzz", "something runs before the rules are there")
  }

  /// A policy: refused with the reason and its place, or written back as the same; the same again merged with itself, and nothing allows everything.
  static let policyDocument = FuzzTarget(name: "policy-document", octetsMax: 2_048) { octets in
    do throws(PolicyProblems) {
      let document = try PolicyDocument.parse(octets)
      require((try? PolicyDocument.parse(document.json())) == document, "a policy that does not read back")
      let targets = document.egress.map(\.targetText)
      require(document.removing(targets: targets).0.egress.isEmpty, "a rule that cannot be deleted")
      let merged = document.merging(document.egress)
      require(merged.merging(document.egress) == merged, "merging twice is not merging once")
      check(RuleSet(document, revision: 1), document)
    } catch {
      require(!error.problems.isEmpty && error.problems.count <= PolicyProblems.countMax, "refused without a reason")
      require(error.problems.allSatisfy { !$0.reason.isEmpty && $0.path.hasPrefix("$") }, "a reason without a place")
    }
  }

  /// The compiled rules against the first that matches, one after the other, for names that the rules speak of.
  private static func check(_ rules: RuleSet, _ document: PolicyDocument) {
    let now = WallTime(microseconds: 1_800_000_000_000_000)
    for rule in document.egress {
      let name: DomainName
      switch rule.target {
      case .name(let exact): name = exact
      case .wildcard(let base): name = DomainName("x." + base.description) ?? base
      default: continue
      }
      let first = document.egress.first {
        guard $0.expiresAt.map({ $0 > now }) ?? true else { return false }
        return switch $0.target {
        case .name(let exact): exact == name
        case .wildcard(let base): name.isBelow(base)
        case .everything: true
        default: false
        }
      }
      // A rule that is narrower in ports may leave the name to the next one: then only the first denial of every port counts.
      guard document.egress.allSatisfy({ $0.portTexts == nil }) else { return }
      let wanted = first.map(\.action) ?? document.defaultAction
      require(rules.decide(name, at: now).isAllowed == (wanted == .allow), "\(name) is decided by another rule")
    }
  }

  /// `allow.always`, `deny.always` and `log_skip.always`: refused with line numbers, or every line is a target once.
  static let policyList = FuzzTarget(name: "policy-list", octetsMax: 2_048) { octets in
    let lines = octets.split(separator: 0x0a, omittingEmptySubsequences: false).count
    do throws(PolicyProblems) {
      let rules = try AlwaysRules.parse(octets, file: "fuzz", action: .allow)
      require(rules.count <= lines && Set(rules.map(\.target)).count == rules.count, "a target twice")
      require(rules.allSatisfy { $0.action == .allow && $0.target != .everything }, "a list that allows everything")
      let text = rules.map(\.targetText).joined(separator: "\n")
      let again = try AlwaysRules.parse(Array(text.utf8), file: "fuzz", action: .allow)
      require(again == rules, "a list that does not read back")
    } catch {
      require(!error.problems.isEmpty && error.problems.count <= PolicyProblems.countMax, "refused without a reason")
      require(error.problems.allSatisfy { $0.path.hasPrefix("fuzz:") && !$0.reason.isEmpty }, "a reason without a line")
    }
    _ = try? AlwaysRules.parseTargets(octets, file: "fuzz")
  }

  /// `/etc/resolv.conf`: nothing in it is an error, and what was understood reads back.
  static let resolverFile = FuzzTarget(name: "resolver-file", octetsMax: 2_048) { octets in
    let file = ResolverFile.parse(octets)
    require(file.nameservers.count <= ResolverFile.nameserversMax, "too many nameservers")
    require(file.search.count <= ResolverFile.searchMax, "too many domains")
    require(Set(file.nameservers).count == file.nameservers.count, "a nameserver twice")
    var text = file.nameservers.map { "nameserver \($0)\n" }.joined()
    if !file.search.isEmpty { text += "search \(file.search.map(\.description).joined(separator: " "))\n" }
    require(ResolverFile.parse(Array(text.utf8)) == file, "a file that does not read back:\n\(text)")
  }

  /// The file of `--config`, and every setting that it names: problems with their lines, or a configuration that can be shown.
  static let settingsFile = FuzzTarget(name: "settings-file", octetsMax: 2_048) { octets in
    switch SettingsFile.parse(octets, path: "fuzz") {
    case .failure(let problems): require(!problems.problems.isEmpty, "refused without a reason")
    case .success(let file):
      require(Set(file.lines.map(\.name)).count == file.lines.count, "a setting twice")
      let text = file.lines.map { "\($0.name)=\($0.value)" }.joined(separator: "\n")
      guard case .success(let again) = SettingsFile.parse(Array(text.utf8), path: "fuzz") else {
        fatalError("a file that does not read back")
      }
      require(
        again.lines.map(\.name) == file.lines.map(\.name) && again.lines.map(\.value) == file.lines.map(\.value),
        "a file that reads back as another")
      let parsed = Configuration.parse(environment: [:], file: file, hostName: "fuzz") { _ in
        .failure(FileProblem("there are no files here"))
      }
      switch parsed {
      case .failure(let problems): require(!problems.problems.isEmpty, "refused without a reason")
      case .success(let configuration): _ = configuration.printed()
      }
    }
  }
}
