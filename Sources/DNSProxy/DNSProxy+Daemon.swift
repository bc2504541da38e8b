import Addressing
import DNSWire
import Timekeeping

/// A look-up of the daemon itself: two questions, A and AAAA.
struct DaemonLookup: Sendable {
  /// Questions not answered yet.
  var outstanding = 2
  var addresses: [IPAddress] = []
  /// Seconds, the shortest of all.
  var ttl = DNSProxySettings.ttlMax
  /// Of the last question that failed; for people.
  var failure: String?
}

extension DNSProxy {
  /// Asks for the addresses of a name the daemon needs, its hub for instance. Not subject to the policy, never cached,
  /// never leased. Ends in `resolvedForDaemon`, or in `daemonLookupFailed` when neither family has an address. A token
  /// under way is not asked for twice.
  package mutating func resolveForDaemon(
    _ name: DomainName, token: UInt64, at now: Moment, using generator: inout some RandomNumberGenerator
  ) {
    guard daemonLookups[token] == nil else { return }
    daemonLookups[token] = DaemonLookup()
    for type in [RecordType.a, .aaaa] {
      let asking = Asking(
        origin: .daemon(token), bytes: [], questionEnd: Header.length, header: Header(id: 0), name: name, type: type,
        recordClass: .in, hasEDNS: false, payloadSize: 0, isDNSSECWanted: false, startedAt: now.instant,
        sessionID: 0)
      start(asking, at: now, using: &generator)
    }
  }

  mutating func daemonAnswered(_ asking: Asking, _ answer: Answer) {
    guard case .daemon(let token) = asking.origin, var lookup = daemonLookups[token] else { return }
    for address in answer.addresses {
      lookup.addresses.append(address.address)
      lookup.ttl = min(lookup.ttl, address.ttl)
    }
    if answer.addresses.isEmpty { lookup.failure = "\(asking.name) has no address: \(answer.responseCode)" }
    settle(token, lookup)
  }

  mutating func daemonFailed(_ token: UInt64, _ reason: String) {
    guard var lookup = daemonLookups[token] else { return }
    lookup.failure = reason
    settle(token, lookup)
  }

  private mutating func settle(_ token: UInt64, _ lookup: DaemonLookup) {
    var lookup = lookup
    lookup.outstanding -= 1
    guard lookup.outstanding == 0 else {
      daemonLookups[token] = lookup
      return
    }
    daemonLookups[token] = nil
    if lookup.addresses.isEmpty {
      emit(.daemonLookupFailed(token: token, reason: lookup.failure ?? "no address"))
    } else {
      // IPv4 first, whichever was answered first.
      emit(
        .resolvedForDaemon(
          token: token, addresses: lookup.addresses.filter(\.isIPv4) + lookup.addresses.filter { !$0.isIPv4 },
          ttl: .seconds(Int64(lookup.ttl))))
    }
  }
}
