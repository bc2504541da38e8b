import Timekeeping

/// One change to the kernel's tables, as a value. `Netfilter` turns it into one netlink message, `nftText` into what a person reads.
/// Everything happens in the one table `inet sallyport`.
package enum KernelChange: Hashable, Sendable {
  /// `add table inet sallyport`: succeeds when it is there already.
  case addTable
  /// `delete table inet sallyport`: fails when it is not there.
  case deleteTable
  /// `add set|map …`: succeeds when an equal one is there.
  case addSet(SetDefinition)
  case deleteSet(SetName)
  /// `add chain …`, with hook and policy when it is a base chain.
  case addChain(ChainDefinition)
  /// `flush chain …`: removes its rules.
  case flushChain(ChainName)
  /// `add rule …`: at the end of the chain.
  case appendRule(RuleDefinition)
  /// `add element …`. An element that is there keeps its timeout: to renew one, `renewElements`.
  case addElements(SetName, [SetElement])
  /// Puts each element in place with its timeout counted from now, whether it was there or not, without a gap: add, delete and add in
  /// one transaction, since before Linux 6.12 adding alone does not restart a timeout.
  case renewElements(SetName, [SetElement])
  /// `delete element …`. An element that is not there rolls the whole transaction back.
  case deleteElements(SetName, [SetElement])
  /// `destroy element …`: removes what is there, and is content when it is not (add then delete in one transaction).
  case destroyElements(SetName, [SetElement])
  /// `flush set …`: removes all elements.
  case flushSet(SetName)
}

/// Changes that the kernel applies together or not at all (one nfnetlink batch).
package struct KernelTransaction: Hashable, Sendable {
  package var changes: [KernelChange]

  package init(_ changes: [KernelChange] = []) { self.changes = changes }

  package var isEmpty: Bool { changes.isEmpty }
}

/// What became of a transaction.
package enum CommitOutcome: Hashable, Sendable {
  /// Acknowledged by the kernel: every change holds.
  case committed
  /// Nothing of it holds.
  case refused(CommitRefusal)
}

/// Why the kernel refused a transaction: the errno and the change it named.
package struct CommitRefusal: Hashable, Sendable, CustomStringConvertible {
  /// The errno, for instance 2 (ENOENT) for an expression that the kernel does not have.
  package var code: Int32
  /// Index into `KernelTransaction.changes`; nil when the batch as a whole failed.
  package var change: Int?
  /// What was refused and why, for people.
  package var reason: String

  package init(code: Int32, change: Int?, reason: String) {
    self.code = code
    self.change = change
    self.reason = reason
  }

  package var description: String { reason }
}

package struct SetName: RawRepresentable, Hashable, Sendable {
  package let rawValue: String
  package init(rawValue: String) { self.rawValue = rawValue }
}

package struct ChainName: RawRepresentable, Hashable, Sendable {
  package let rawValue: String
  package init(rawValue: String) { self.rawValue = rawValue }
}

/// The type of one part of a set's key. The kernel stores each part padded to four octets.
package enum KeyPart: Hashable, Sendable {
  case ipv4Address
  case ipv6Address
  /// `inet_proto`, one octet.
  case protocolNumber
  /// `inet_service`, two octets, big endian.
  case port
  /// `mark`, four octets, host order.
  case mark
  /// `meta nfproto`, one octet: 2 for IPv4, 10 for IPv6.
  case family

  /// Octets of the value itself.
  package var length: Int {
    switch self {
    case .ipv4Address, .mark: 4
    case .ipv6Address: 16
    case .protocolNumber, .family: 1
    case .port: 2
    }
  }

  /// Octets in a concatenated key: padded to a multiple of four.
  package var paddedLength: Int { (length + 3) & ~3 }
}

/// A set, or a map to marks.
package struct SetDefinition: Hashable, Sendable {
  package var name: SetName
  /// One part, or several for a concatenation (`ipv4_addr . inet_proto . inet_service`).
  package var key: [KeyPart]
  /// A map from the key to a mark (`type … : mark`) instead of a set.
  package var mapsToMark: Bool
  /// `flags interval`: elements are ranges. Learned addresses never go into such a set (a commit there costs its whole size).
  package var isInterval: Bool
  /// `flags timeout`: elements may expire by kernel timer.
  package var hasTimeouts: Bool
  /// `size`: the most elements the kernel takes; nil for no limit.
  package var sizeMax: UInt32?
  /// `flags dynamic`: rules add elements as packets pass (`countIn`).
  package var isDynamic: Bool

  package init(
    _ name: SetName, key: [KeyPart], mapsToMark: Bool = false, isInterval: Bool = false, hasTimeouts: Bool = false,
    sizeMax: UInt32? = nil, isDynamic: Bool = false
  ) {
    self.name = name
    self.key = key
    self.mapsToMark = mapsToMark
    self.isInterval = isInterval
    self.hasTimeouts = hasTimeouts
    self.sizeMax = sizeMax
    self.isDynamic = isDynamic
  }
}

/// An element of a set or map. Values are as `KeyPart` says, not padded: `Netfilter` lays them out.
package struct SetElement: Hashable, Sendable {
  /// One value a part of the key.
  package var key: ElementValues
  /// In an interval set: the last value of each part, inclusive (`10.0.0.0` to `10.255.255.255`); nil elsewhere.
  package var last: ElementValues?
  /// In a map: the mark.
  package var mark: UInt32?
  /// The element removes itself after this long; nil for never. Only in sets with timeouts.
  package var timeout: TimeSpan?
  /// `comment "…"`: ASCII, kept by the kernel as long as the element, at most `commentMax` octets. What a later start of the daemon reads back.
  package var comment: [UInt8]?

  /// Octets. The kernel takes 256 of user data with an element, but the offsets of an element's parts are one octet: it keeps less than it takes.
  package static let commentMax = 200

  package init(
    _ key: ElementValues, last: ElementValues? = nil, mark: UInt32? = nil, timeout: TimeSpan? = nil,
    comment: [UInt8]? = nil
  ) {
    self.key = key
    self.last = last
    self.mark = mark
    self.timeout = timeout
    self.comment = comment
  }
}

package struct ChainDefinition: Hashable, Sendable {
  package enum Kind: String, Hashable, Sendable {
    case filter, nat, route
  }

  package enum Hook: String, Hashable, Sendable {
    case prerouting, input, forward, output, postrouting
  }

  /// Where a base chain hangs and what happens at its end.
  package struct Base: Hashable, Sendable {
    package var kind: Kind
    package var hook: Hook
    package var priority: Int32
    /// `policy drop` instead of `policy accept`.
    package var drops: Bool

    package init(kind: Kind, hook: Hook, priority: Int32, drops: Bool) {
      self.kind = kind
      self.hook = hook
      self.priority = priority
      self.drops = drops
    }
  }

  package var name: ChainName
  /// Nil for a chain that only rules jump to.
  package var base: Base?

  package init(_ name: ChainName, base: Base? = nil) {
    self.name = name
    self.base = base
  }
}

package struct RuleDefinition: Hashable, Sendable {
  package var chain: ChainName
  package var statements: [Statement]

  package init(_ chain: ChainName, _ statements: [Statement]) {
    self.chain = chain
    self.statements = statements
  }
}

/// One clause of a rule, at the level at which `nft` prints it. Each says which kernel expressions it needs: the target kernels lack some.
package enum Statement: Hashable, Sendable {
  /// `meta skuid UID` or `!=`. Expressions: meta, cmp.
  case socketUser(UInt32, Comparison = .equal)
  /// `meta mark VALUE`. meta, cmp.
  case packetMark(UInt32)
  /// `oifname "NAME"`. meta, cmp.
  case outputInterface(String, Comparison = .equal)
  /// `iifname "NAME"`. meta, cmp.
  case inputInterface(String, Comparison = .equal)
  /// `meta nfproto ipv4|ipv6`. meta, cmp.
  case family(ipv4: Bool)
  /// `meta l4proto { … }`: one value compares, several compare against an anonymous set. meta, cmp or lookup.
  case protocols([UInt8])
  /// `th dport PORT`: after a statement that fixes the protocol. payload, cmp.
  case destinationPort(UInt16, Comparison = .equal)
  /// `th sport PORT`. payload, cmp.
  case sourcePort(UInt16, Comparison = .equal)
  /// `th dport { RANGES }` through an anonymous interval set. payload, lookup.
  case destinationPorts([ClosedRange<UInt16>])
  /// `th sport { RANGES }`, likewise.
  case sourcePorts([ClosedRange<UInt16>])
  /// `ip daddr VALUE` / `ip6 daddr VALUE`, a whole address. meta nfproto, payload, cmp.
  case destinationAddress([UInt8])
  /// `ip saddr PREFIX` / `ip6 saddr PREFIX` or `!=`: an address's first octets. meta nfproto, payload, cmp.
  case sourcePrefix([UInt8], ipv4: Bool, Comparison = .equal)
  /// `tcp flags & (fin | syn | rst | ack) == syn`. payload, bitwise, cmp.
  case isConnectionRequest
  /// `icmpv6 type { … }`. meta, payload, lookup.
  case icmpv6Types([UInt8])
  /// `ct state …`: any of the bits. ct, bitwise, cmp.
  case connectionState(ConnectionState)
  /// `ct direction reply|original`. ct, cmp.
  case direction(isReply: Bool)
  /// `ct mark VALUE`. ct, cmp.
  case connectionMark(UInt32)
  /// `ct mark & MASK == VALUE` or `!=`. ct, bitwise, cmp.
  case connectionMarkMasked(mask: UInt32, value: UInt32, Comparison = .equal)
  /// `ct mark @SET`. ct, lookup.
  case connectionMarkIn(SetName)
  /// `meta nfproto @SET`. meta, lookup.
  case familyIn(SetName)
  /// The packet's own fields, concatenated, are in SET: `ip daddr . meta l4proto . th dport @SET`. meta, payload, lookup.
  case fieldsIn(SetName, [PacketField])
  /// `add @SET { FIELDS counter }`: the packet is counted by what it is. With the set full, the rule ends here. payload, meta, dynset, counter.
  case countIn(SetName, [PacketField])
  /// `ct mark set VALUE`. immediate, ct.
  case setConnectionMark(UInt32)
  /// `ct mark set FIELDS map @MAP`: a missing key ends the rule. payload, lookup, ct.
  case setConnectionMarkFrom(SetName, [PacketField])
  /// `ct original bytes > 0`: switches conntrack accounting on in this namespace. ct, byteorder, cmp.
  case countsBytes
  /// `counter`. counter.
  case counter
  /// `redirect to :PORT`, after a statement that fixes the protocol. immediate, redir.
  case redirect(UInt16)
  /// `notrack`: connection tracking passes the packet by. notrack (in nft_ct).
  case notrack
  /// `log group GROUP`. log (not on AKS).
  case log(group: UInt16)
  case accept
  case drop
  /// `jump CHAIN`.
  case jump(ChainName)
  /// `goto CHAIN`.
  case goTo(ChainName)
  case returnToCaller

  package enum Comparison: Hashable, Sendable {
    case equal, notEqual
  }
}

/// A field that a rule loads into a register. An address field also fixes the family.
package enum PacketField: Hashable, Sendable {
  case ipv4Source, ipv4Destination, ipv6Source, ipv6Destination
  case protocolNumber
  case sourcePort, destinationPort
  case connectionMark
  /// Where the flow's first packet went, before any address translation.
  case ipv4OriginalDestination, ipv6OriginalDestination
}

/// Bits of `ct state` (`NF_CT_STATE_BIT`, linux/netfilter/nf_conntrack_common.h).
package struct ConnectionState: OptionSet, Hashable, Sendable {
  package let rawValue: UInt32
  package init(rawValue: UInt32) { self.rawValue = rawValue }

  package static let invalid = Self(rawValue: 1)
  package static let established = Self(rawValue: 2)
  package static let related = Self(rawValue: 4)
  package static let new = Self(rawValue: 8)
  package static let untracked = Self(rawValue: 64)
}
