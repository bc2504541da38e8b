// The numbers of the wire format that this module writes and reads itself, each block with the header it comes from. They are the
// kernel's binary interface and never change. Swift constants and not the imported enumerations, whose types differ from one to the next.

/// `struct nlmsghdr` and `NLM_F_*` (linux/netlink.h).
enum NetlinkHeader {
  static let length = 16
  static let flagsOffset = 6
  /// `struct nfgenmsg` after it (linux/netfilter/nfnetlink.h).
  static let netfilterLength = 20

  static let request: UInt16 = 0x01
  static let acknowledge: UInt16 = 0x04
  static let dumpInterrupted: UInt16 = 0x10
  static let capped: UInt16 = 0x100
  static let extendedAnswer: UInt16 = 0x200
  static let dump: UInt16 = 0x300
  static let exclusive: UInt16 = 0x200
  static let create: UInt16 = 0x400
  static let append: UInt16 = 0x800

  static let errorType: UInt16 = 2
  static let doneType: UInt16 = 3
  /// `NLMSGERR_ATTR_MSG`: why, in the kernel's words.
  static let errorMessage: UInt16 = 1
}

/// `struct nlattr` (linux/netlink.h).
enum NetlinkAttribute {
  static let headerLength = 4
  static let nested: UInt16 = 0x8000
  /// What is left of the type without NLA_F_NESTED and NLA_F_NET_BYTEORDER.
  static let typeMask: UInt16 = 0x3fff
}

/// Message types: subsystem `NFNL_SUBSYS_*` in the upper octet (linux/netfilter/nfnetlink.h).
enum MessageType {
  static let batchBegin: UInt16 = 0x10
  static let batchEnd: UInt16 = 0x11
  static let tables: UInt16 = 10 << 8
  static let conntrack: UInt16 = 1 << 8
  static let subsystemTables: UInt16 = 10

  // enum nf_tables_msg_types (linux/netfilter/nf_tables.h)
  static let newTable: UInt16 = tables | 0
  static let getTable: UInt16 = tables | 1
  static let deleteTable: UInt16 = tables | 2
  static let newChain: UInt16 = tables | 3
  static let getChain: UInt16 = tables | 4
  static let deleteChain: UInt16 = tables | 5
  static let newRule: UInt16 = tables | 6
  static let getRule: UInt16 = tables | 7
  static let deleteRule: UInt16 = tables | 8
  static let newSet: UInt16 = tables | 9
  static let getSet: UInt16 = tables | 10
  static let deleteSet: UInt16 = tables | 11
  static let newElements: UInt16 = tables | 12
  static let getElements: UInt16 = tables | 13
  static let deleteElements: UInt16 = tables | 14
  static let newGeneration: UInt16 = tables | 15
  static let newObject: UInt16 = tables | 18
  static let deleteObject: UInt16 = tables | 20
  static let newFlowTable: UInt16 = tables | 22
  static let deleteFlowTable: UInt16 = tables | 24
  /// From Linux 6.3 on.
  static let destroyElements: UInt16 = tables | 30

  // enum cntl_msg_types (linux/netfilter/nfnetlink_conntrack.h)
  static let conntrackNew: UInt16 = conntrack | 0
  static let conntrackGet: UInt16 = conntrack | 1
  static let conntrackDelete: UInt16 = conntrack | 2
}

/// `NFPROTO_*` (linux/netfilter.h).
enum ProtocolFamily {
  static let unspecified: UInt8 = 0
  static let inet: UInt8 = 1
  static let ipv4: UInt8 = 2
  static let ipv6: UInt8 = 10

  /// As `nft` names it.
  static func name(_ family: UInt8) -> String {
    switch family {
    case inet: "inet"
    case ipv4: "ip"
    case ipv6: "ip6"
    case 3: "arp"
    case 5: "netdev"
    case 7: "bridge"
    default: "family \(family)"
    }
  }
}

/// Attributes of tables, chains, sets and their elements (linux/netfilter/nf_tables.h).
enum TablesAttribute {
  /// `NFTA_TABLE_NAME`.
  static let tableName: UInt16 = 1
  /// `NFTA_RULE_TABLE`, `NFTA_CHAIN_TABLE`, `NFTA_SET_ELEM_LIST_TABLE`.
  static let table: UInt16 = 1
  /// `NFTA_TABLE_FLAGS`.
  static let tableFlags: UInt16 = 2
  // enum nft_gen_attributes
  static let generationProcess: UInt16 = 2
  static let generationProcessName: UInt16 = 3
  // enum nft_chain_attributes
  static let chainName: UInt16 = 3
  static let chainHook: UInt16 = 4
  static let chainType: UInt16 = 7
  /// `NFTA_HOOK_HOOKNUM`.
  static let hookNumber: UInt16 = 1
  /// `NFTA_SET_NAME`.
  static let setName: UInt16 = 2
  // enum nft_rule_attributes
  static let ruleChain: UInt16 = 2
  static let ruleExpressions: UInt16 = 4
  // enum nft_expr_attributes
  static let expressionName: UInt16 = 1
  static let expressionData: UInt16 = 2
  // enum nft_payload_attributes
  static let payloadBase: UInt16 = 2
  static let payloadOffset: UInt16 = 3
  static let payloadLength: UInt16 = 4
  // enum nft_cmp_attributes
  static let compareOperation: UInt16 = 2
  static let compareData: UInt16 = 3
  /// `NFTA_IMMEDIATE_DATA`.
  static let immediateData: UInt16 = 2
  /// `NFTA_VERDICT_CHAIN`.
  static let verdictChain: UInt16 = 2
  // enum nft_counter_attributes
  static let counterBytes: UInt16 = 1
  static let counterPackets: UInt16 = 2
  // enum nft_set_elem_list_attributes
  static let listSet: UInt16 = 2
  static let listElements: UInt16 = 3
  static let listSetIdentifier: UInt16 = 4
  /// `NFTA_LIST_ELEM`.
  static let listElement: UInt16 = 1
  // enum nft_set_elem_attributes
  static let elementKey: UInt16 = 1
  static let elementData: UInt16 = 2
  static let elementFlags: UInt16 = 3
  static let elementTimeout: UInt16 = 4
  static let elementExpiration: UInt16 = 5
  static let elementUserData: UInt16 = 6
  static let elementExpression: UInt16 = 7
  /// `NFTNL_UDATA_SET_ELEM_COMMENT` (libnftnl/udata.h): type, length and text with a final zero.
  static let commentUserData: UInt8 = 0
  static let elementKeyEnd: UInt16 = 10
  /// `NFTA_DATA_VALUE`.
  static let dataValue: UInt16 = 1
  /// `NFTA_DATA_VERDICT`.
  static let dataVerdict: UInt16 = 2
  /// `NFT_SET_ELEM_INTERVAL_END`: the key is the first value after a range.
  static let intervalEndFlag: UInt32 = 1
}

/// Attributes of connection tracking (linux/netfilter/nfnetlink_conntrack.h).
enum ConntrackAttribute {
  // enum ctattr_type
  static let original: UInt16 = 1
  static let reply: UInt16 = 2
  static let status: UInt16 = 3
  static let protocolInformation: UInt16 = 4
  static let mark: UInt16 = 8
  static let countersOriginal: UInt16 = 9
  static let countersReply: UInt16 = 10
  static let identifier: UInt16 = 12
  static let markMask: UInt16 = 21
  // enum ctattr_tuple
  static let tupleAddresses: UInt16 = 1
  static let tupleProtocol: UInt16 = 2
  // enum ctattr_ip
  static let ipv4Source: UInt16 = 1
  static let ipv4Destination: UInt16 = 2
  static let ipv6Source: UInt16 = 3
  static let ipv6Destination: UInt16 = 4
  // enum ctattr_l4proto
  static let protocolNumber: UInt16 = 1
  static let sourcePort: UInt16 = 2
  static let destinationPort: UInt16 = 3
  static let icmpIdentifier: UInt16 = 4
  static let icmpType: UInt16 = 5
  static let icmpCode: UInt16 = 6
  static let icmpv6Identifier: UInt16 = 7
  static let icmpv6Type: UInt16 = 8
  static let icmpv6Code: UInt16 = 9
  // enum ctattr_protoinfo, enum ctattr_protoinfo_tcp
  static let tcp: UInt16 = 1
  static let tcpState: UInt16 = 1
  // enum ctattr_counters
  static let packets: UInt16 = 1
  static let octets: UInt16 = 2
}
