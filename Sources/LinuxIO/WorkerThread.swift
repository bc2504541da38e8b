import CLinux
import Glibc
import Synchronization
import Timekeeping

/// A thread that does blocking work in order: fdatasync, HTTPS. Jobs go in from the loop, results come back in the same
/// order once `wakeup` is readable.
package final class WorkerThread<Job: Sendable, Output: Sendable>: Sendable {
  private struct Queues: Sendable {
    var jobs: [Job] = []
    var outputs: [Output] = []
    var isStopping = false
    var isFinishing = false
  }

  private let queues = Mutex(Queues())
  private let bell: FileDescriptor
  private let done: FileDescriptor
  /// Readable when results wait: register it, and on readiness call `takeOutputs`.
  package let wakeup: WakeupDescriptor

  /// `body` runs on the new thread, for one job at a time. `name` is at most 15 octets (/proc/PID/task/TID/comm).
  /// `stackOctets`: 256 KiB is ample for files; a TLS handshake in OpenSSL used under 64 KiB. The corresponding C
  /// function is `pthread_create`.
  package init(
    name: String, stackOctets: Int = 256 << 10, _ body: @escaping @Sendable (Job) -> Output
  ) throws(Errno) {
    precondition(name.utf8.count <= 15)
    bell = FileDescriptor(owning: try retrying("eventfd") { clinux_eventfd(1) })
    done = FileDescriptor(owning: try retrying("eventfd") { clinux_eventfd(1) })
    wakeup = try WakeupDescriptor()
    try startThread(name: name, stackOctets: stackOctets) { self.run(body) }
  }

  /// From any thread; never blocks. Jobs after `stop` are not done.
  package func submit(_ job: Job) {
    queues.withLock { $0.jobs.append(job) }
    ring(bell.number)
  }

  /// How many jobs wait; the one being done is not counted.
  package var waiting: Int { queues.withLock { $0.jobs.count } }

  /// The results since the last call, in the order of their jobs; ends the readiness of `wakeup`.
  package func takeOutputs() -> [Output] {
    wakeup.drain()
    return queues.withLock { queues in
      let outputs = queues.outputs
      queues.outputs.removeAll()
      return outputs
    }
  }

  /// No job is begun any more. `wait`: blocks until the one under way ended. The thread holds this object until then.
  package func stop(wait: Bool) {
    queues.withLock { $0.isStopping = true }
    ring(bell.number)
    if wait { awaitRing(done.number) }
  }

  /// Every job submitted before is done, then the thread ends. Waits for that, at most so long: false when it took
  /// longer.
  package func finish(within patience: TimeSpan) -> Bool {
    queues.withLock { $0.isFinishing = true }
    ring(bell.number)
    let deadline = SystemTime.instant() + patience
    var entry = pollfd(fd: done.number, events: Int16(POLLIN), revents: 0)
    while true {
      let left = max(deadline - SystemTime.instant(), .zero)
      if unsafe poll(&entry, 1, Int32(min(left.milliseconds + 1, 60_000))) > 0 { return true }
      if left == .zero { return false }
    }
  }

  private func run(_ body: @Sendable (Job) -> Output) {
    while true {
      awaitRing(bell.number)
      while let job = queues.withLock({ $0.isStopping || $0.jobs.isEmpty ? nil : $0.jobs.removeFirst() }) {
        let output = body(job)
        queues.withLock { $0.outputs.append(output) }
        wakeup.signal()
      }
      if queues.withLock({ $0.isStopping || $0.isFinishing && $0.jobs.isEmpty }) { break }
    }
    ring(done.number)
  }
}

/// A thread that ends by itself, with a small stack of its own. The corresponding C function is `pthread_create`.
package func startThread(
  name: String, stackOctets: Int = 256 << 10, _ body: @escaping @Sendable () -> Void
) throws(Errno) {
  final class Start: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }
  var attributes = pthread_attr_t()
  unsafe pthread_attr_init(&attributes)
  defer { unsafe pthread_attr_destroy(&attributes) }
  unsafe pthread_attr_setstacksize(&attributes, max(stackOctets, 64 << 10))
  unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
  // The retain is taken back by the thread, or here when there is none.
  let start = unsafe Unmanaged.passRetained(Start(name: String(name.prefix(15)), body: body))
  var thread = pthread_t()
  let code = unsafe pthread_create(
    &thread, &attributes,
    { context in
      guard let context = unsafe context else { return nil }
      let start = unsafe Unmanaged<Start>.fromOpaque(context).takeRetainedValue()
      _ = unsafe clinux_name_thread(start.name)
      start.body()
      return nil
    }, start.toOpaque())
  guard code == 0 else {
    unsafe start.release()
    throw Errno(code, "pthread_create \(name)")
  }
}

private func ring(_ number: Int32) {
  var one: UInt64 = 1
  _ = try? retrying("write eventfd") { unsafe write(number, &one, MemoryLayout<UInt64>.size) }
}

private func awaitRing(_ number: Int32) {
  var count: UInt64 = 0
  _ = try? retrying("read eventfd") { unsafe read(number, &count, MemoryLayout<UInt64>.size) }
}
