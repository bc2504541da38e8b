// FlowAudit: from what happened to the evidence of it.
//
//   ConntrackEvent  what the kernel says about a flow
//   FlowTracker     flows from NEW to their end: what is to be recorded, which counters to ask for
//   DenialRollup    repeats of one denial become one record with an exact count
//   QueryRollup     the same for DNS queries
//   FlowDraft, QueryDraft, ServiceDraft  what a record says, before it has a number
//   AuditLog        gives each record its number, its unique id, its link in the chain, and its exact bytes
//   RecordChain     the link: what a verifier computes again
//
// Constraints. Every attempt is in exactly one record or is counted in one; a record's bytes are made once; nothing here reads a clock, draws a random number or
// knows a hash function: time, generator and hash come in. The log seals 30,000 DNS records a second beside everything else, so whatever does not change from
// record to record is rendered once for each owner, policy revision and enforcement, and copied.
//
// Format. One flat JSON object, `SbxChain` first, at most `AuditLog.recordOctetsMax`; texts from outside are made valid UTF-8 and cut at `RecordText.textOctetsMax`;
// what was cut or left out is said by `SbxTruncated`. Names are those of ASIM NetworkSession, Dns and AuditEvent (Azure-Sentinel, ASIM/dev/ASimTester), ours begin with `Sbx`.
//
// Failures. There are none to return: a record that is too long is cut, a table that is full gives up a convenience (a roll-up, a close record) and says so in the
// record, and what only the kernel's counters know is for the checkpoint in the heartbeat.
