// LinuxIO: the kernel's words for the shell: descriptors, readiness, sockets, files, signals, clocks, threads,
// privileges.
//
//   FileDescriptor, Errno     a descriptor that closes once; an error that says what was attempted
//   EventPoll                 which descriptors are ready (epoll, level-triggered)
//   WakeupDescriptor          one thread wakes another's poll (eventfd)
//   SignalDescriptor          TERM, INT, HUP as readiness (signalfd)
//   FileWatch                 something in this directory changed (inotify)
//   UDPSocket                 datagrams in batches (recvmmsg, sendmmsg) through memory that is used again
//   TCPListener, TCPStream    connections, never blocking unless asked
//   WorkerThread              blocking work in order on a thread of its own, answers through a WakeupDescriptor
//   Directory, File           files, written whole or not at all, and synced where it is said
//   ProcessIdentity           uid, capabilities, and giving them up
//   ProcessMemory             what freed memory and pages of the start give back
//   ProcessScheduling         short turns of the processor, and so early ones
//   SystemTime, SystemRandom  the only clock and the only randomness of the process
//
// Constraints: nothing here decides. Nothing retries except EINTR, and that in one file (Errno.swift). Nothing blocks
// except what says so. No async, no Foundation.
//
// Every `unsafe` in this module is a call into C with memory that outlives it: the pointer comes from `withUnsafe…`
// around the call, from the address of a local (`&value`), or from memory that the object owns from init to deinit. No
// pointer escapes this module.
//
// Failures: an `Errno` with the attempted call. Would-block is a value, not an error: it is the ordinary end of every
// loop.
