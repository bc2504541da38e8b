// Sidecar: the one machine. Events and the time go in, effects come out in the order in which they must be performed.
//
//                         queries ──► DNSProxy ──► Firewall ──► commit ──► kernel
//                                                                 │
//                              reply ◄── record written ◄── record sealed ◄── committed
//
//   conntrack events ──► FlowTracker ──► record sealed ──► Spool ──► Forwarder ──► hub
//
// The promise: an address reaches the workload only after the kernel holds its lease and the record of it is written. It stands in the types: the DNS proxy owns
// the reply until the settlement of its lease, and the reply then waits in `held` for the spool's `.stored` of the group that has its record.
//
// Rules of order, each kept in the place named after it:
//   R1  rules before anything else: `start` emits the installation first, and nothing is answered before it is committed (Life)
//   R2  commit, then record, then reply (Resolution, Evidence)
//   R3  a change of policy is answered after the kernel holds it, the flows it revokes are cut, it is kept on disk and on the record (PolicyChange)
//   R4  nothing is acknowledged to the spool that the hub did not take whole (Delivery)
//   R5  without room for evidence the gate closes before the next flow (Evidence)
//
// Turns. The shell drains what is ready, gives it all as events, and ends with `turnEnded`: what was staged meanwhile goes to the kernel as one transaction and to the
// spool as one write. So cost is shared under load, and alone nothing waits.
//
// Failures arrive as events. A refused commit fails the answers that waited for it (SERVFAIL, no address); a failed write fails the replies that waited for it; a policy that
// the kernel refused was never in force.
