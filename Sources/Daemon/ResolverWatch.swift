import Addressing
import Configuration
import DNSProxy
import LinuxIO
import Sidecar
import Timekeeping

/// `/etc/resolv.conf` while no setting names resolvers: read again when it changes.
final class ResolverWatch {
  private let files: WatchedFiles

  init(_ log: Log, at now: Instant) throws(Errno) {
    files = try WatchedFiles(
      [WatchedFiles.Watched(path: ResolverFile.path, octetsMax: ResolverFile.octetsMax)], log, at: now)
  }

  /// For `EventPoll.register`.
  var number: Int32 { files.number }

  func read(_ body: (SidecarEvent) -> Void) { files.read { _, contents in body(event(contents)) } }

  /// Each second.
  func sweep(at now: Instant, _ body: (SidecarEvent) -> Void) {
    files.sweep(at: now) { _, contents in body(event(contents)) }
  }

  private func event(_ contents: [UInt8]?) -> SidecarEvent {
    let servers = ResolverFile.parse(contents ?? []).nameservers
    return .resolversRead(servers.map { Upstream(Endpoint($0, 53)) }, file: ResolverFile.path)
  }
}
