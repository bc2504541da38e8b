import CLinux

/// How this process holds memory: one runs in every pod, so what it does not need goes back to the kernel.
package enum ProcessMemory {
  /// Allocations of this many octets get a mapping of their own and leave with it: 128 KiB, glibc's first guess, which it would raise
  /// with the first large one that is freed; what grew in between would then lie in the heap for good.
  private static let mappedOctets: Int32 = 128 << 10

  /// Before threads are made, of which none allocates so much that it needs an arena of its own. Best effort. The corresponding C function is `mallopt`.
  package static func economize() { _ = clinux_allocate_by(mappedOctets) }

  /// Lets go of the program's own pages, of which the start or a busy time has touched most (relocations, symbols, the reading of settings) and a
  /// quiet one touches few: they come back from the page cache when they are needed. Best effort. The corresponding C functions are `dl_iterate_phdr`, `madvise`.
  package static func leaveProgramPages() { _ = clinux_leave_program_pages() }

  /// Gives the kernel back what is free, also between what is in use: after a busy time, and after something large was read, which leaves holes as
  /// large as itself. The corresponding C function is `malloc_trim`.
  package static func trim() { clinux_trim_heap() }
}
