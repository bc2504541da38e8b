// Netfilter: the edge to the kernel's packet filter and connection tracking. One of the few modules with C and `unsafe`.
//
//   NftablesSocket     commits a `KernelTransaction` as one nfnetlink batch, and reads sets, counters and foreign chains back
//   FeatureProbe       which expressions this kernel lacks, each tried in a batch that always aborts
//   RulesetMonitor     what others change in the rules
//   ConntrackMonitor   the event stream: NEW, UPDATE, DESTROY
//   ConntrackTable     get, delete and dump of single entries
//
// Constraints. Every socket acts on the network namespace of the thread that *created* it, whatever thread uses it later. All of it
// needs CAP_NET_ADMIN in that namespace. Nothing here blocks longer than `NetlinkSocket.answerTimeout`.
//
// Format. Tables, sets, chains and rules are composed by libnftnl; set elements, which are on the path of every DNS answer, are
// written by hand into a reused array. What the kernel sends is read by `AttributeReader`, in Swift, with every length checked:
// no pointer is formed from a number that came from outside.
//
// Kernels. NFT_MSG_DESTROYSETELEM exists from Linux 6.3 on. Before, an element that may not be there is added and deleted, and when the map
// holds it with another mark, the set is read first (`NftablesBatch.Removal`). Tried on 6.18, and on 6.1 with the modules of AKS's guest.
//
// Failures. A batch applies whole or not at all. The kernel names a failed message by its sequence number, which `NftablesBatch`
// turns back into the index of the change. An answer that does not come within the timeout is a refusal with ETIMEDOUT: whether the
// batch holds is then unknown, and the caller reads back.
