/// What the connection mark of a flow says: the grant that let it out, or why it was refused. The same number stands in the kernel's maps, in
/// conntrack's entries and in its events.
///
///     1 … 0x7fff_ffff         a grant
///     0x8000_0001 …           reserved words, below
///     0xc000_0000 | n         an explicit deny rule
///     0                       none of our business: loopback, or a packet from before the rules
package enum FlowMark {
  /// Bit 31: never a grant.
  package static let reservedBit: UInt32 = 0x8000_0000
  /// Bits 31 and 30: an explicit deny rule, its number below.
  package static let denyRuleBits: UInt32 = 0xc000_0000
  /// The largest grant.
  package static let grantMax: UInt32 = 0x7fff_ffff

  /// No rule and no lease lets it out.
  package static let deniedByDefault: UInt32 = 0x8000_0001
  /// A connection into the pod that `ingress` permits: its replies may leave.
  package static let ingress: UInt32 = 0x8000_0002
  /// The workload tried the control API.
  package static let deniedAPI: UInt32 = 0x8000_0003
  /// The gate was closed: no owner, no room for evidence, or the audit lease ran out.
  package static let deniedByGate: UInt32 = 0x8000_0004
  /// A DNS query on its way to the proxy.
  package static let steeredDNS: UInt32 = 0x8000_0005
  /// The daemon's own traffic. Tells flows apart; lets nothing pass (a leftover entry with this mark can be met by anyone).
  package static let own: UInt32 = 0x8000_0006

  /// Over IPv6 under an address that is not the pod's own.
  package static let deniedSource: UInt32 = 0x8000_0007

  package static func isGrant(_ mark: UInt32) -> Bool { mark != 0 && mark & reservedBit == 0 }
  package static func isDenyRule(_ mark: UInt32) -> Bool { mark & denyRuleBits == denyRuleBits }
}
