// RecordProof: what a consumer can say about the record from the records alone.
//
//   AuditLine    one line taken apart: its number, its boot, its link, what it says of other records
//   Proof        takes lines in any order and with duplicates, and keeps 72 octets of each
//   ProofReport  what is complete, and exactly what is missing, altered or contradictory
//   NumberRanges sequence numbers as ranges
//
// How. A line is proved when SHA-256 over the link before it and its own octets gives its own link (audit.md, `SbxChain`). In a stream in order the link before is at
// hand. Any other line is named to the caller (`Revisit`), who gives it once more when all links are known: so a million records in any order cost a table of links,
// never their text. Numbers must be whole from 1 on, save what a `RecordsDropped` answers for; where a boot ends is told by the `SidecarStart` after it.
//
// What it cannot prove. Nothing tells how a boot ended that no later one names, or a record whose predecessor is gone: the report says both. The chain carries no
// key: whoever may write all the records may write another history.
//
// Failures. A line that is no record is thrown, with its reason, and changes nothing. Memory follows the number of records; every list of the report is bounded by
// what it names, as ranges.
