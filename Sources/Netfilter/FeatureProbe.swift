import Firewall
import Glibc

/// A kernel feature that rulesets need or may use.
package enum KernelFeature: String, CaseIterable, Hashable, Sendable {
  case meta, cmp, immediate, payload, lookup, bitwise, byteorder, ct, notrack, counter, redir
  case dynset
  case filterChain = "chain type filter"
  case natChain = "chain type nat"
  case timeoutMap = "map with timeouts"
  case intervalMap = "interval map"
  case concatenatedIntervalMap = "concatenated interval map"
  case log

  /// What `Firewall` cannot do without: all but `log`, which the Kata guest of AKS lacks.
  package static let required = allCases.filter { $0 != .log }
}

/// Tries features of the running kernel. Each is one batch of its own that sets up a table nobody else has and ends with a change that
/// must fail, so that the kernel looks at everything and keeps nothing. A missing expression fails a whole batch with ENOENT and says
/// nothing of the others; hence one each.
package struct FeatureProbe: ~Copyable {
  /// Never committed.
  static let table = "sallyport-probe"

  private let socket: NftablesSocket

  /// Opens a socket in the network namespace of the calling thread.
  package init() throws(NetlinkError) { socket = try NftablesSocket(table: Self.table) }

  /// Those that the kernel does not have, in the order given, each with why.
  package func missing(_ features: [KernelFeature]) -> [(feature: KernelFeature, refusal: CommitRefusal)] {
    features.compactMap { feature in
      var transaction = KernelTransaction(feature.changes)
      let abort = transaction.changes.count
      transaction.changes.append(.deleteSet(SetName(rawValue: "absent")))
      guard case .refused(let refusal) = socket.commit(transaction), refusal.change != abort else { return nil }
      return (feature, refusal)
    }
  }
}

extension KernelFeature {
  /// The smallest transaction that needs it.
  fileprivate var changes: [KernelChange] {
    switch self {
    case .meta, .cmp: rule([.packetMark(1)])
    case .immediate: rule([.accept])
    case .payload: rule([.destinationPort(1)])
    case .lookup: rule([.protocols([6, 17])])
    case .bitwise: rule([.isConnectionRequest])
    case .byteorder, .ct: rule([.connectionMark(1)])
    case .counter: rule([.counter])
    case .dynset:
      [.addTable, .addSet(SetDefinition(Self.counting, key: [.protocolNumber], sizeMax: 1, isDynamic: true))]
        + rule([.countIn(Self.counting, [.protocolNumber])]).dropFirst()
    case .notrack: rule([.notrack], .init(kind: .filter, hook: .prerouting, priority: -300, drops: false))
    case .redir: rule([.protocols([6]), .redirect(9)], .init(kind: .nat, hook: .output, priority: -100, drops: false))
    case .filterChain: rule([], .init(kind: .filter, hook: .output, priority: 0, drops: true))
    case .natChain: rule([], .init(kind: .nat, hook: .output, priority: -100, drops: false))
    case .timeoutMap: [.addTable, .addSet(map([.ipv4Address, .protocolNumber, .port], timeouts: true))]
    case .intervalMap: [.addTable, .addSet(map([.ipv4Address], interval: true))]
    case .concatenatedIntervalMap: [.addTable, .addSet(map([.ipv4Address, .port], interval: true))]
    case .log: rule([.log(group: 1)])
    }
  }

  private static let counting = SetName(rawValue: "probe")

  private func rule(_ statements: [Statement], _ base: ChainDefinition.Base? = nil) -> [KernelChange] {
    let chain = ChainDefinition(ChainName(rawValue: "probe"), base: base)
    return [.addTable, .addChain(chain), .appendRule(RuleDefinition(chain.name, statements))]
  }

  private func map(_ key: [KeyPart], interval: Bool = false, timeouts: Bool = false) -> SetDefinition {
    SetDefinition(
      SetName(rawValue: "probe"), key: key, mapsToMark: true, isInterval: interval, hasTimeouts: timeouts)
  }
}
