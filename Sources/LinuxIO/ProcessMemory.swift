import CLinux

/// The memory of this process.
package enum ProcessMemory {
  /// Gives the kernel back what is free, also between what is in use: after something large was read, which leaves holes as large as itself. The corresponding C
  /// function is `malloc_trim`.
  package static func trim() { clinux_trim_heap() }
}
