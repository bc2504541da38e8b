import CNetlink
import Firewall

extension SetDefinition {
  /// `add set inet TABLE NAME { type …; flags …; size …; }` or `add map`. The corresponding C function is `nftnl_set_nlmsg_build_payload`.
  func compose(table: String, identifier: UInt32, into scratch: LibnftnlMessage, sequence: UInt32) -> [UInt8] {
    var flags: UInt32 = 0
    if mapsToMark { flags |= NFT_SET_MAP.rawValue }
    if isInterval { flags |= NFT_SET_INTERVAL.rawValue }
    if hasTimeouts { flags |= NFT_SET_TIMEOUT.rawValue }
    if isDynamic { flags |= NFT_SET_EVAL.rawValue }
    let set = LibnftnlSet(table: table, name: name.rawValue, identifier: identifier, key: KeyType(key))
    if isInterval && key.count > 1 {
      flags |= NFT_SET_CONCAT.rawValue
      set.put(NFTNL_SET_DESC_CONCAT, key.map { UInt8($0.length) })
    }
    set.put(NFTNL_SET_FLAGS, flags)
    if mapsToMark {
      set.put(NFTNL_SET_DATA_TYPE, KeyType.mark.number)
      set.put(NFTNL_SET_DATA_LEN, UInt32(KeyType.mark.length))
    }
    if !byteOrders.isEmpty { set.put(NFTNL_SET_USERDATA, byteOrders) }
    if let sizeMax { set.put(NFTNL_SET_DESC_SIZE, sizeMax) }
    return set.compose(into: scratch, sequence: sequence)
  }

  /// What `nft` keeps with a set to print numbers right: `NFTNL_UDATA_SET_KEYBYTEORDER` (0) and `_DATABYTEORDER` (1) as type, length and
  /// a number in host order, 1 for host order and 2 for big endian. The kernel does not look at it.
  private var byteOrders: [UInt8] {
    var octets: [UInt8] = []
    if key.count == 1 { octets += [0, 4] + hostOrderBytes(key[0] == .mark || key[0] == .family ? 1 : 2) }
    if mapsToMark { octets += [1, 4] + hostOrderBytes(1) }
    return octets
  }
}

extension AnonymousSet {
  /// The braces in `th dport { 80, 443 }`. The corresponding C function is `nftnl_set_nlmsg_build_payload`.
  func compose(table: String, identifier: UInt32, into scratch: LibnftnlMessage, sequence: UInt32) -> [UInt8] {
    let set = LibnftnlSet(table: table, name: NftablesBatch.anonymousSetName, identifier: identifier, key: type)
    let interval = isInterval ? NFT_SET_INTERVAL.rawValue : 0
    set.put(NFTNL_SET_FLAGS, NFT_SET_ANONYMOUS.rawValue | NFT_SET_CONSTANT.rawValue | interval)
    // The kernel chooses the kind of set by it. Of a set of ranges it would count both ends, and the kind is given.
    if !isInterval { set.put(NFTNL_SET_DESC_SIZE, UInt32(elements.count)) }
    return set.compose(into: scratch, sequence: sequence)
  }
}

extension ChainDefinition {
  /// `add chain inet TABLE NAME { type KIND hook HOOK priority PRIORITY; policy POLICY; }`. The corresponding C function is
  /// `nftnl_chain_nlmsg_build_payload`.
  func compose(table: String, into scratch: LibnftnlMessage, sequence: UInt32) -> [UInt8] {
    // Freed before this returns; the strings are copied by libnftnl.
    guard let chain = unsafe nftnl_chain_alloc() else { fatalError("out of memory") }
    defer { unsafe nftnl_chain_free(chain) }
    unsafe nftnl_chain_set_u32(chain, UInt16(NFTNL_CHAIN_FAMILY.rawValue), UInt32(ProtocolFamily.inet))
    unsafe nftnl_chain_set_str(chain, UInt16(NFTNL_CHAIN_TABLE.rawValue), table)
    unsafe nftnl_chain_set_str(chain, UInt16(NFTNL_CHAIN_NAME.rawValue), name.rawValue)
    if let base {
      unsafe nftnl_chain_set_str(chain, UInt16(NFTNL_CHAIN_TYPE.rawValue), base.kind.rawValue)
      unsafe nftnl_chain_set_u32(chain, UInt16(NFTNL_CHAIN_HOOKNUM.rawValue), base.hook.number)
      unsafe nftnl_chain_set_s32(chain, UInt16(NFTNL_CHAIN_PRIO.rawValue), base.priority)
      unsafe nftnl_chain_set_u32(chain, UInt16(NFTNL_CHAIN_POLICY.rawValue), base.drops ? 0 : 1)
    }
    return unsafe scratch.compose(type: MessageType.newChain, flags: NetlinkHeader.create, sequence: sequence) {
      unsafe nftnl_chain_nlmsg_build_payload($0, chain)
    }
  }
}

extension ChainDefinition.Hook {
  /// `NF_INET_*` (linux/netfilter.h).
  var number: UInt32 {
    switch self {
    case .prerouting: 0
    case .input: 1
    case .forward: 2
    case .output: 3
    case .postrouting: 4
    }
  }
}

/// libnftnl's object for a set.
///
/// `@safe`: allocated in `init`, freed in `deinit`; libnftnl copies what is set.
@safe private struct LibnftnlSet: ~Copyable {
  private let set: OpaquePointer

  init(table: String, name: String, identifier: UInt32, key: KeyType) {
    guard let set = unsafe nftnl_set_alloc() else { fatalError("out of memory") }
    unsafe self.set = set
    unsafe nftnl_set_set_str(set, UInt16(NFTNL_SET_TABLE.rawValue), table)
    unsafe nftnl_set_set_str(set, UInt16(NFTNL_SET_NAME.rawValue), name)
    put(NFTNL_SET_FAMILY, UInt32(ProtocolFamily.inet))
    put(NFTNL_SET_ID, identifier)
    put(NFTNL_SET_KEY_TYPE, key.number)
    put(NFTNL_SET_KEY_LEN, UInt32(key.length))
  }

  deinit { unsafe nftnl_set_free(set) }

  func put(_ attribute: nftnl_set_attr, _ number: UInt32) {
    unsafe nftnl_set_set_u32(set, UInt16(attribute.rawValue), number)
  }

  func put(_ attribute: nftnl_set_attr, _ octets: [UInt8]) {
    unsafe nftnl_set_set_data(set, UInt16(attribute.rawValue), octets, UInt32(octets.count))
  }

  func compose(into scratch: LibnftnlMessage, sequence: UInt32) -> [UInt8] {
    unsafe scratch.compose(type: MessageType.newSet, flags: NetlinkHeader.create, sequence: sequence) {
      unsafe nftnl_set_nlmsg_build_payload($0, set)
    }
  }
}
