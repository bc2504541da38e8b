// EgressPolicy: what the policy says, how it is read, and how a decision is made of it. Nothing here resolves, enforces or stores.
//
//   PolicyDocument  the JSON document (contract §3): parsed with every problem named by its JSON path, merged, written
//   AlwaysRules     the platform's lists, which win over the document
//   RuleList        rules in order, a million names in some forty megabytes
//   RuleSet         both compiled: decide(name), verdicts(name, address), addressPlan, explain
//   PortSet         which ports a rule speaks of; ports that a rule took are gone for the rules after it
//
// Constraints. A name must be decided in less than a microsecond among a million, since that stands before every DNS answer; a look-up hashes the name
// once from the right and asks one flat table for each of its suffixes. Rules about addresses are found by binary search for each prefix length in
// use. Both give rule numbers, and the smallest wins: order decides, never length.
//
// A rule that nobody could match is refused when it is read, not ignored: `*.com`, `a*b.example.com`, a block with host bits. So is whatever two
// readers could understand differently: `0x7f.1`, `127.1`, repeated keys. Every problem is reported at once.
//
// Failures: reading throws `PolicyProblems`; deciding cannot fail.
