import CNetlink
import Firewall

/// One rule under construction in libnftnl. Registers: values are loaded into the sixteen octets of register 1 (`NFT_REG32_00` on),
/// a concatenation goes on from there in steps of four octets.
///
/// `@safe`: the rule belongs to this value from `init` to `deinit`; each expression is handed to the rule at once, which frees it.
@safe struct RuleComposer: ~Copyable {
  /// `NFT_REG32_00`, the first four octets of register 1.
  static let firstRegister: UInt32 = 8

  /// The value of one attribute of an expression.
  enum Value {
    case octet(UInt8)
    case short(UInt16)
    case number(UInt32)
    case data([UInt8])
    case text(String)
    /// Another expression, without attributes of its own.
    case expression(String)
  }

  private let rule: OpaquePointer
  /// What earlier statements fixed, so that the dependencies of later ones are not loaded twice (as `nft` does it).
  var knownFamily: UInt8?
  var knownProtocol: UInt8?

  /// The corresponding C function is `nftnl_rule_alloc`.
  init(table: String, chain: ChainName) {
    guard let rule = unsafe nftnl_rule_alloc() else { fatalError("out of memory") }
    unsafe self.rule = rule
    unsafe nftnl_rule_set_u32(rule, UInt16(NFTNL_RULE_FAMILY.rawValue), UInt32(ProtocolFamily.inet))
    unsafe nftnl_rule_set_str(rule, UInt16(NFTNL_RULE_TABLE.rawValue), table)
    unsafe nftnl_rule_set_str(rule, UInt16(NFTNL_RULE_CHAIN.rawValue), chain.rawValue)
  }

  deinit { unsafe nftnl_rule_free(rule) }

  /// Appends an expression. The corresponding C functions are `nftnl_expr_alloc` and `nftnl_rule_add_expr`.
  func expression(_ name: String, _ attributes: [(Int, Value)]) {
    // Nil only for a name that this libnftnl does not know, which would be our mistake, or without memory.
    guard let expression = unsafe nftnl_expr_alloc(name) else { fatalError("libnftnl has no expression \(name)") }
    for (attribute, value) in attributes {
      let attribute = UInt16(attribute)
      switch value {
      case .octet(let number): unsafe nftnl_expr_set_u8(expression, attribute, number)
      case .short(let number): unsafe nftnl_expr_set_u16(expression, attribute, number)
      case .number(let number): unsafe nftnl_expr_set_u32(expression, attribute, number)
      // libnftnl copies text and data; at most NFT_DATA_VALUE_MAXLEN (64) octets of data.
      case .data(let octets): unsafe nftnl_expr_set(expression, attribute, octets, UInt32(octets.count))
      case .text(let text): unsafe nftnl_expr_set_str(expression, attribute, text)
      case .expression(let name):
        guard let inner = unsafe nftnl_expr_alloc(name) else { fatalError("libnftnl has no expression \(name)") }
        // Belongs to the outer one from here on.
        unsafe nftnl_expr_set(expression, attribute, UnsafeRawPointer(inner), 0)
      }
    }
    unsafe nftnl_rule_add_expr(rule, expression)
  }

  /// The corresponding C function is `nftnl_rule_nlmsg_build_payload`.
  func compose(into scratch: LibnftnlMessage, sequence: UInt32) -> [UInt8] {
    unsafe scratch.compose(
      type: MessageType.newRule, flags: NetlinkHeader.create | NetlinkHeader.append, sequence: sequence
    ) { unsafe nftnl_rule_nlmsg_build_payload($0, rule) }
  }
}

/// Memory in which libnftnl composes one message.
///
/// `@safe`: allocated in `init`, freed in `deinit`, handed out only inside `compose`.
@safe final class LibnftnlMessage {
  /// libnftnl does not check this bound. The longest message here is a rule, whose `RuleComposer.statementsMax` statements stay far below.
  static let sizeMax = 65_536

  private let memory: UnsafeMutablePointer<CChar>

  init() {
    unsafe memory = .allocate(capacity: Self.sizeMax)
    unsafe memory.initialize(repeating: 0, count: Self.sizeMax)
  }

  deinit { unsafe memory.deallocate() }

  /// The corresponding C function is `nftnl_nlmsg_build_hdr`.
  func compose(
    type: UInt16, flags: UInt16, sequence: UInt32, _ payload: (UnsafeMutablePointer<nlmsghdr>) -> Void
  ) -> [UInt8] {
    // libnftnl adds the subsystem and NLM_F_REQUEST.
    guard
      let header = unsafe nftnl_nlmsg_build_hdr(memory, type & 0xff, UInt16(ProtocolFamily.inet), flags, sequence)
    else { return [] }
    unsafe payload(header)
    let length = Int(unsafe header.pointee.nlmsg_len)
    precondition(length <= Self.sizeMax)
    return unsafe Array(UnsafeRawBufferPointer(start: memory, count: (length + 3) & ~3))
  }
}
