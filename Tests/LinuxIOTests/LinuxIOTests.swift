import Foundation
import LinuxIO
import Timekeeping

/// A directory that goes with the value.
final class TemporaryDirectory {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("linuxio-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// Runs `body` in a forked process, which has one thread, and returns its exit status: for what would change this
/// process.
func inChild(_ body: () -> Int32) throws -> Int32 {
  typealias Fork = @convention(c) () -> pid_t
  guard let symbol = unsafe dlsym(nil, "fork") else { throw Errno(ENOSYS, "fork") }
  // Swift hides fork(2) because most code must not run after it; glibc makes allocation safe there.
  let fork = unsafe unsafeBitCast(symbol, to: Fork.self)
  let child = fork()
  if child == 0 { _exit(body()) }
  guard child > 0 else { throw Errno(errno, "fork") }
  var status: Int32 = 0
  while unsafe waitpid(child, &status, 0) < 0 && errno == EINTR {}
  return status & 0x7f == 0 ? status >> 8 & 0xff : -1
}

/// Waits, for as long as a slow machine may need, until `token` is ready.
func waitFor(_ poll: EventPoll, _ token: UInt64) throws -> EventPoll.Event? {
  let deadline = SystemTime.instant() + .seconds(30)
  while SystemTime.instant() < deadline {
    if let event = try poll.wait(timeout: .seconds(1)).first(where: { $0.token == token }) { return event }
  }
  return nil
}
