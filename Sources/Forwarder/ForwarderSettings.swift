import Timekeeping

/// Where batches go.
package enum ForwarderSink: Hashable, Sendable {
  /// The Event Hubs REST API: a batch is a JSON array of events, and only 201 acknowledges it.
  case eventHubs(host: String, hub: String)
  /// A local file or standard output: a batch is lines, and `.written` acknowledges it.
  case lines

  /// The request target of an Event Hubs delivery (`/HUB/messages?timeout=60&api-version=2014-01`); nil for lines.
  /// Microsoft Learn, rest/api/eventhub/send-batch-events.
  package var target: String? {
    guard case .eventHubs(_, let hub) = self else { return nil }
    return "/\(hub)/messages?timeout=60&api-version=2014-01"
  }
}

/// How records become batches, and failures become waits.
package struct ForwarderSettings: Sendable {
  package var sink: ForwarderSink
  /// Whether a delivery needs a bearer token (`needToken`).
  package var usesToken: Bool
  /// Bytes of a request body: 240,000 fit the 256 KB publication of every tier, escaping included.
  package var bodyMax = 240_000
  /// Events in a batch.
  package var eventsMax = 500
  /// Bytes of one record: 32 KiB, since Log Analytics imports messages of at most 64 KB.
  package var eventMax = 32 << 10
  /// How long the oldest record waits for company: 1 s.
  package var flushInterval = TimeSpan.seconds(1)
  /// How long an attempt may take before it counts as lost: 10 s.
  package var attemptTimeout = TimeSpan.seconds(10)
  /// `SALLYPORT_EVENTHUB_MAX_RATE`: events a second at most, and as many kilobytes (`Forwarder.octetsPerEvent`), whichever
  /// comes first; nil: no limit.
  package var rateMax: Int?
  /// Constant `UserProperties` of each event, in this order, for routing without reading the body.
  package var userProperties: [(name: String, value: String)] = []

  package init(sink: ForwarderSink, usesToken: Bool = false) {
    self.sink = sink
    self.usesToken = usesToken
  }
}
