import Foundation
import Glibc

/// A network namespace of its own with the loopback interface up, living as long as its thread: a dedicated one, since `unshare` acts on
/// the calling thread, and a socket belongs to the namespace of the thread that opened it.
final class NetworkNamespace: @unchecked Sendable {
  private let begin = DispatchSemaphore(value: 0)
  private let done = DispatchSemaphore(value: 0)
  private let job = Job()
  private(set) var threadIdentifier: pid_t = 0

  /// Written by one side while the other waits.
  private final class Job: @unchecked Sendable {
    var work: (() -> Void)? = {}
  }

  init() {
    let thread = Thread { [begin, done, box = self.job] in
      while true {
        begin.wait()
        guard let job = box.work else { return }
        job()
        done.signal()
      }
    }
    thread.stackSize = 1 << 20
    thread.start()
    perform { [self] in
      enterNewNetwork()
      threadIdentifier = currentThreadIdentifier()
      setUp("ip link set lo up; sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0")
    }
  }

  deinit {
    job.work = nil
    begin.signal()
  }

  /// Runs a closure inside, and waits for it.
  @discardableResult
  func run<Value>(_ body: @escaping () throws -> Value) throws -> Value {
    var result: Result<Value, any Error>?
    perform { result = Result { try body() } }
    guard let result else { preconditionFailure("the job did not run") }
    return try result.get()
  }

  private func perform(_ work: @escaping () -> Void) {
    self.job.work = work
    begin.signal()
    done.wait()
    self.job.work = {}
  }

  /// A pair of interfaces `v0` here and `v0` there: 10.9.0.1 and 10.9.0.2, fd09::1 and fd09::2, with this side's default route to the other.
  func connect(to other: NetworkNamespace) throws {
    try run {
      setUp(
        """
        ip link add v0 type veth peer name v0 netns \(other.threadIdentifier) &&
        ip address add 10.9.0.1/24 dev v0 && ip -6 address add fd09::1/64 dev v0 &&
        ip link set v0 up && ip route add default via 10.9.0.2
        """)
    }
    try other.run {
      setUp(
        """
        ip address add 10.9.0.2/24 dev v0 && ip -6 address add fd09::2/64 dev v0 && ip link set v0 up &&
        ip route add 10.0.0.0/8 via 10.9.0.1
        """)
    }
    try run { setUp("ip -6 route add default via fd09::2") }
  }
}

/// A command that must say nothing: else the machine lacks what the tests stand on.
func setUp(_ command: String) {
  let output = shell(command)
  precondition(output.isEmpty, "\(command): \(output)")
}

/// `unshare(CLONE_NEWNET)`, which glibc declares only for _GNU_SOURCE: looked up by name, with the type that unshare(2) states.
private func enterNewNetwork() {
  typealias Unshare = @convention(c) (Int32) -> Int32
  guard let symbol = unsafe dlsym(nil, "unshare") else { preconditionFailure("no unshare") }
  let unshare = unsafe unsafeBitCast(symbol, to: Unshare.self)
  precondition(unshare(0x4000_0000) == 0, "unshare: \(errno)")
}

/// `/proc/thread-self` points to `PROCESS/task/THREAD`.
private func currentThreadIdentifier() -> pid_t {
  let path = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/thread-self")
  guard let number = path?.split(separator: "/").last.flatMap({ pid_t($0) }) else { preconditionFailure("no /proc") }
  return number
}

/// What a shell command prints, both streams; it runs in the namespace of the calling thread.
@discardableResult
func shell(_ command: String) -> String {
  // The stream is ours until `pclose`.
  guard let stream = unsafe popen("PATH=/usr/sbin:/usr/bin:/sbin:/bin; { \(command)\n} 2>&1", "r") else {
    return "popen: \(errno)"
  }
  defer { unsafe pclose(stream) }
  var output: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 65_536)
  while true {
    let count = unsafe fread(&chunk, 1, chunk.count, stream)
    if count == 0 { break }
    output.append(contentsOf: chunk[0..<count])
  }
  return String(decoding: output, as: UTF8.self)
}
