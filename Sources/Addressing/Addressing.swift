// Addressing: the words for where a packet goes. Values only, nothing is resolved and nothing is decided here.
//
//   IPAddress          IPv4 or IPv6, ordered, with RFC 5952 text
//   CIDRBlock          an address and a prefix length, host bits zero
//   Endpoint           address and port
//   TransportProtocol  IANA protocol numbers
//   SpecialPurpose     which range of the IANA special-purpose registries (RFC 6890) an address lies in
//
// Text is parsed strictly: the forms of inet_aton (`127.1`, `0x7f.1`, `2130706433`, leading zeros) are refused, since
// two readers that disagree on what an address means are a way around a policy.
