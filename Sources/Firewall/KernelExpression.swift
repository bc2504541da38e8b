/// What a rule is made of, by the kernel's name for it (`struct nft_expr_type.name`, net/netfilter/nft_*.c). One that a kernel does not have fails the whole
/// transaction.
package enum KernelExpression: String, CaseIterable, Hashable, Comparable, Sendable {
  case bitwise, byteorder, cmp, counter, ct, dynset, immediate, log, lookup, meta, notrack, payload, redir

  package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

  /// What AKS's Kata guest offers to rules (`kernel-uvm` 6.6, built without modules): the core of nf_tables, and nft_ct with `notrack`, nft_redir, nft_nat, nft_masq,
  /// nft_limit, nft_quota, nft_queue, nft_hash. Not there: log, reject, socket, tproxy, fib, connlimit, numgen. Source: SPECS/kernel-uvm/config of Azure Linux.
  package static let onAKSKata66: Set<String> = [
    "bitwise", "byteorder", "cmp", "counter", "dynset", "exthdr", "immediate", "last", "lookup", "meta", "objref",
    "payload", "range", "rt",
    "ct", "notrack", "redir", "nat", "masq", "limit", "quota", "queue", "hash",
  ]
}

extension Statement {
  /// The expressions that it becomes. What it depends on (a family, a protocol) may be there already from an earlier statement of the rule.
  package var expressions: Set<KernelExpression> {
    switch self {
    case .socketUser, .packetMark, .outputInterface, .inputInterface, .family: [.meta, .cmp]
    case .protocols(let numbers): numbers.count == 1 ? [.meta, .cmp] : [.meta, .lookup]
    case .destinationPort, .sourcePort: [.payload, .cmp]
    case .destinationPorts, .sourcePorts: [.payload, .lookup]
    case .destinationAddress, .sourcePrefix: [.meta, .cmp, .payload]
    case .isConnectionRequest: [.meta, .cmp, .payload, .bitwise]
    case .icmpv6Types: [.meta, .cmp, .payload, .lookup]
    case .connectionState, .connectionMarkMasked: [.ct, .bitwise, .cmp]
    case .direction, .connectionMark: [.ct, .cmp]
    case .connectionMarkIn: [.ct, .lookup]
    case .familyIn: [.meta, .lookup]
    case .fieldsIn(_, let fields): fields.reduce(into: [.lookup]) { $0.formUnion($1.expressions) }
    case .countIn(_, let fields): fields.reduce(into: [.dynset, .counter]) { $0.formUnion($1.expressions) }
    case .setConnectionMark: [.immediate, .ct]
    case .setConnectionMarkFrom(_, let fields): fields.reduce(into: [.lookup, .ct]) { $0.formUnion($1.expressions) }
    case .countsBytes: [.ct, .byteorder, .cmp]
    case .counter: [.counter]
    case .redirect: [.immediate, .redir]
    case .notrack: [.notrack]
    case .log: [.log]
    case .accept, .drop, .jump, .goTo, .returnToCaller: [.immediate]
    }
  }
}

extension PacketField {
  fileprivate var expressions: Set<KernelExpression> {
    switch self {
    case .ipv4Source, .ipv4Destination, .ipv6Source, .ipv6Destination: [.meta, .cmp, .payload]
    case .protocolNumber: [.meta]
    case .sourcePort, .destinationPort: [.payload]
    case .connectionMark, .ipv4OriginalDestination, .ipv6OriginalDestination: [.ct]
    }
  }
}

extension Ruleset {
  /// Every expression of its rules.
  package var expressions: Set<KernelExpression> {
    chains.flatMap(\.rules).flatMap(\.statements).reduce(into: []) { $0.formUnion($1.expressions) }
  }
}
