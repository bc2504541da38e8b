// DNSWire: messages of RFC 1035 as values. Bytes in, bytes out; nothing is decided here.
//
// Constraints. Every byte is foreign: all reads are bounds-checked, all counts are bounded by the octets that are
// there, a compression pointer must point strictly before the run of labels that holds it (so that a walk always ends),
// and octets after the last record are an error. The query path allocates as little as it can: a record of a parsed
// message is offsets into the message's octets, and names are compared where they stand.
//
// Format.
//
//   +------------+
//   | Header     |  12 octets, `Header`
//   +------------+
//   | Question   |  `Question`; at most one (RFC 9619)
//   +------------+
//   | Answer     |
//   | Authority  |  `ResourceRecord`
//   | Additional |  with at most one OPT, `EDNS` (RFC 6891)
//   +------------+
//
// Operations.
//
//   Query.parse        header, question and EDNS of a query: the fast path
//   Message.parse      the whole of a message, usually a response
//   MessageComposer    header, question, records with compressed owners, OPT with an Extended DNS Error (RFC 8914)
//   ServiceBinding     the rewriting of SVCB and HTTPS records (RFC 9460)
//   RecordType, RecordClass, ResponseCode, Opcode, ExtendedErrorCode    IANA's code points and their names
//
// Failures. `WireError` names the octet and the reason. A message is parsed whole or not at all.
