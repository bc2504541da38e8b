import CLinux

/// When threads run.
package enum ProcessScheduling {
  /// How long this thread runs at a time while others want the processor, in nanoseconds: 0.3 ms. Some ten new names are answered in it, so that a
  /// processor which many want is not spent on changing hands; the kernel takes 0.1 ms at least.
  private static let sliceNanoseconds: UInt64 = 300_000

  /// Asks for short turns of the processor for the calling thread, and so for early ones: when an event comes, a thread with a longer turn (a sync of
  /// ours, a worker of the kernel) does not finish it first, which is 1.4 ms on two processors. Costs no other thread its share. Best effort: kernels
  /// before 6.12 do not know it. The corresponding C function is `sched_setattr`.
  package static func respondQuickly() { _ = clinux_take_slices(sliceNanoseconds) }
}
