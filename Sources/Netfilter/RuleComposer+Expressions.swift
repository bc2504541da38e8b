import CNetlink
import Firewall

// The kernel's expressions, one method each, as `nft --debug=netlink` prints them.
extension RuleComposer {
  /// `[ meta load KEY => reg ]`
  func loadMeta(_ key: nft_meta_keys, register: UInt32 = firstRegister) {
    expression("meta", [(NFTNL_EXPR_META_KEY, .number(key.rawValue)), (NFTNL_EXPR_META_DREG, .number(register))])
  }

  /// `[ ct load KEY => reg ]`, of one direction (`IP_CT_DIR_*`) where the key has two.
  func loadConntrack(_ key: nft_ct_keys, direction: UInt8? = nil, register: UInt32 = firstRegister) {
    var attributes: [(Int, Value)] = [
      (NFTNL_EXPR_CT_KEY, .number(key.rawValue)), (NFTNL_EXPR_CT_DREG, .number(register)),
    ]
    if let direction { attributes.append((NFTNL_EXPR_CT_DIR, .octet(direction))) }
    expression("ct", attributes)
  }

  /// `[ payload load LENGTHb @ BASE header + OFFSET => reg ]`
  func loadPayload(_ base: nft_payload_bases, offset: UInt32, length: UInt32, register: UInt32 = firstRegister) {
    expression(
      "payload",
      [
        (NFTNL_EXPR_PAYLOAD_DREG, .number(register)), (NFTNL_EXPR_PAYLOAD_BASE, .number(base.rawValue)),
        (NFTNL_EXPR_PAYLOAD_OFFSET, .number(offset)), (NFTNL_EXPR_PAYLOAD_LEN, .number(length)),
      ])
  }

  /// `[ cmp OPERATION reg 1 DATA ]`
  func compare(_ operation: nft_cmp_ops, _ data: [UInt8]) {
    expression(
      "cmp",
      [
        (NFTNL_EXPR_CMP_SREG, .number(Self.firstRegister)), (NFTNL_EXPR_CMP_OP, .number(operation.rawValue)),
        (NFTNL_EXPR_CMP_DATA, .data(data)),
      ])
  }

  func compare(_ comparison: Statement.Comparison, _ data: [UInt8]) {
    compare(comparison == .equal ? NFT_CMP_EQ : NFT_CMP_NEQ, data)
  }

  /// `[ bitwise reg 1 = ( reg 1 & MASK ) ^ 0 ]`
  func mask(_ mask: [UInt8]) {
    expression(
      "bitwise",
      [
        (NFTNL_EXPR_BITWISE_SREG, .number(Self.firstRegister)), (NFTNL_EXPR_BITWISE_DREG, .number(Self.firstRegister)),
        (NFTNL_EXPR_BITWISE_LEN, .number(UInt32(mask.count))), (NFTNL_EXPR_BITWISE_MASK, .data(mask)),
        (NFTNL_EXPR_BITWISE_XOR, .data([UInt8](repeating: 0, count: mask.count))),
      ])
  }

  /// `[ byteorder reg 1 = hton(reg 1, SIZE, LENGTH) ]`
  func toNetworkOrder(size: UInt32, length: UInt32) {
    expression(
      "byteorder",
      [
        (NFTNL_EXPR_BYTEORDER_SREG, .number(Self.firstRegister)),
        (NFTNL_EXPR_BYTEORDER_DREG, .number(Self.firstRegister)),
        (NFTNL_EXPR_BYTEORDER_OP, .number(NFT_BYTEORDER_HTON.rawValue)), (NFTNL_EXPR_BYTEORDER_LEN, .number(length)),
        (NFTNL_EXPR_BYTEORDER_SIZE, .number(size)),
      ])
  }

  /// `[ lookup reg 1 set NAME ]`, with `dreg 1` for a map. `identifier` names a set of the same batch.
  func lookUp(_ set: String, identifier: UInt32? = nil, intoRegister: Bool = false) {
    var attributes: [(Int, Value)] = [
      (NFTNL_EXPR_LOOKUP_SREG, .number(Self.firstRegister)), (NFTNL_EXPR_LOOKUP_SET, .text(set)),
    ]
    if intoRegister { attributes.append((NFTNL_EXPR_LOOKUP_DREG, .number(Self.firstRegister))) }
    if let identifier { attributes.append((NFTNL_EXPR_LOOKUP_SET_ID, .number(identifier))) }
    expression("lookup", attributes)
  }

  /// `[ immediate reg 1 DATA ]`
  func immediate(_ data: [UInt8]) {
    expression(
      "immediate", [(NFTNL_EXPR_IMM_DREG, .number(Self.firstRegister)), (NFTNL_EXPR_IMM_DATA, .data(data))])
  }

  /// `[ immediate reg 0 VERDICT ]`. Verdicts are NF_DROP 0 and NF_ACCEPT 1 (linux/netfilter.h), and the negative `NFT_*` ones.
  func verdict(_ verdict: Int32, chain: ChainName? = nil) {
    var attributes: [(Int, Value)] = [
      (NFTNL_EXPR_IMM_DREG, .number(NFT_REG_VERDICT.rawValue)),
      (NFTNL_EXPR_IMM_VERDICT, .number(UInt32(bitPattern: verdict))),
    ]
    if let chain { attributes.append((NFTNL_EXPR_IMM_CHAIN, .text(chain.rawValue))) }
    expression("immediate", attributes)
  }

  /// `[ ct set mark with reg 1 ]`
  func setConntrackMark() {
    expression(
      "ct",
      [(NFTNL_EXPR_CT_KEY, .number(NFT_CT_MARK.rawValue)), (NFTNL_EXPR_CT_SREG, .number(Self.firstRegister))])
  }

  /// `[ redir proto_min reg 1 flags 0x2 ]`
  func redirect() {
    expression(
      "redir",
      [
        (NFTNL_EXPR_REDIR_REG_PROTO_MIN, .number(Self.firstRegister)),
        // NF_NAT_RANGE_PROTO_SPECIFIED (linux/netfilter/nf_nat.h)
        (NFTNL_EXPR_REDIR_FLAGS, .number(2)),
      ])
  }

  /// `[ notrack ]`
  func notrack() { expression("notrack", []) }

  /// `[ counter pkts 0 bytes 0 ]`
  func counter() { expression("counter", []) }

  /// `[ dynset add reg_key 1 set NAME expr [ counter pkts 0 bytes 0 ] ]`. The corresponding C functions are `nftnl_expr_alloc` and `nftnl_expr_set`.
  func count(in set: String) {
    expression(
      "dynset",
      [
        (NFTNL_EXPR_DYNSET_OP, .number(NFT_DYNSET_OP_ADD.rawValue)),
        (NFTNL_EXPR_DYNSET_SREG_KEY, .number(Self.firstRegister)), (NFTNL_EXPR_DYNSET_SET_NAME, .text(set)),
        (NFTNL_EXPR_DYNSET_EXPR, .expression("counter")),
      ])
  }

  /// `[ log group GROUP ]`
  func log(group: UInt16) { expression("log", [(NFTNL_EXPR_LOG_GROUP, .short(group))]) }

  /// `[ meta load nfproto => reg 1 ] [ cmp eq reg 1 FAMILY ]`, unless the rule has it already.
  mutating func requireFamily(_ family: UInt8) {
    guard knownFamily != family else { return }
    loadMeta(NFT_META_NFPROTO)
    compare(.equal, [family])
    knownFamily = family
  }

  /// `[ meta load l4proto => reg 1 ] [ cmp eq reg 1 PROTOCOL ]`, unless the rule has it already.
  mutating func requireProtocol(_ number: UInt8) {
    guard knownProtocol != number else { return }
    loadMeta(NFT_META_L4PROTO)
    compare(.equal, [number])
    knownProtocol = number
  }
}
