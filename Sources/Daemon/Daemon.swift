// Daemon: the shell. It waits, turns readiness into events, and performs effects in their order; it decides nothing.
//
//   Startup       what must be before the first event: sockets, privileges, state
//   EventLoop     epoll: readiness to events, one turn after the other
//   EffectRunner  one case, one call
//   Preflight     `sallyport doctor`: what of all that could be had
//   DNSServer, UpstreamSockets, APIServer, StorageWorker, DeliveryWorker: the descriptors behind the effects
//
// Threads. One owns the machine and the epoll set. Two workers block in its place: one in fdatasync, one in HTTPS; they get values and give values back through an
// eventfd. Commits to the kernel happen in the loop's thread: they take microseconds, and what follows a commit needs no second turn.
//
// Failures. What cannot be had at the start ends the process with exit code 3 and the reason by name; the rules that an earlier run loaded stay. Later failures of one
// descriptor are events or log lines; the loop goes on.
