import Addressing
import DNSProxy
import Firewall
import Timekeeping

/// The resolvers of the pod, when they come from its resolver file and not from a setting.
struct ResolverState: Sendable {
  /// Those that will be asked once the kernel lets the daemon reach them.
  var waiting: [Upstream]?
  /// Times that other resolvers were taken, and that a file named none.
  var changed: UInt64 = 0
  var refused: UInt64 = 0

  /// How long a resolver that is no longer one may still be reached: 60 s, more than its last connection takes to end.
  static let formerSpan = TimeSpan.seconds(60)
}

/// A changed resolver file: first the kernel permits, then queries go. A file without a resolver leaves the last good ones in place, and is said.
extension SidecarMachine {
  mutating func resolversRead(_ upstreams: [Upstream], file: String, at now: Moment) {
    guard !upstreams.isEmpty else {
      resolvers.refused += 1
      let names = proxy.upstreams.map(\.endpoint.description).joined(separator: ",")
      emit(
        .log(
          LogEntry(
            .error, "the file names no resolver; the last good ones are asked",
            [("file", file), ("resolvers", names)])))
      return
    }
    let current = resolvers.waiting ?? proxy.upstreams
    guard upstreams != current else { return }
    for upstream in upstreams where !permit(upstream, for: nil, at: now) { return }
    for former in current where !upstreams.contains(former) {
      _ = permit(former, for: ResolverState.formerSpan, at: now)
    }
    resolvers.waiting = upstreams
  }

  mutating func permit(_ upstream: Upstream, for span: TimeSpan?, at now: Moment) -> Bool {
    if firewall.permitOwn(upstream.endpoint, upstream.transports, for: span, at: now) { return true }
    emit(.log(LogEntry(.error, "too many upstream resolvers", [("upstream", upstream.endpoint.description)])))
    return false
  }

  /// After a commit, or when none was needed: the new resolvers are asked.
  mutating func releaseResolvers(at now: Moment, using generator: inout some RandomNumberGenerator) {
    guard !resolution.isCommitting, let upstreams = resolvers.waiting else { return }
    resolvers.waiting = nil
    resolvers.changed += 1
    proxy.replaceUpstreams(upstreams, policy: policy, gate: gate.forNames, at: now, using: &generator)
    let endpoints = upstreams.map(\.endpoint)
    emit(.forgetResolvers(besides: endpoints))
    let names = endpoints.map(\.description).joined(separator: ",")
    emit(.log(LogEntry(.warning, "other resolvers are asked from now on", [("resolvers", names)])))
    drainProxy(at: now, using: &generator)
  }

  /// The kernel refused a transaction: whoever waited for this one may not be reached.
  mutating func failWaitingResolvers() {
    guard resolvers.waiting != nil else { return }
    resolvers.waiting = nil
    resolvers.refused += 1
    emit(.log(LogEntry(.error, "the kernel does not permit the new resolvers; the last good ones are asked")))
  }
}
