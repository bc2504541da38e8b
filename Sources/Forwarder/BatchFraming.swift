import JSONText
import Spool

/// How records are put into a body.
///
/// Event Hubs: `[{"Body":"<the record as a JSON string>","UserProperties":{…}},…]`; the properties stand in the same
/// element as the body. Lines: each record followed by a line feed.
struct BatchFraming: Sendable {
  let contentType: String
  /// Octets around a record: at least this much is added to it.
  let overhead: Int

  private let isJSON: Bool
  private let before: [UInt8]
  private let after: [UInt8]
  private let bodyMax: Int
  private let eventsMax: Int
  private let eventMax: Int

  init(_ settings: ForwarderSettings) {
    bodyMax = settings.bodyMax
    eventsMax = max(settings.eventsMax, 1)
    eventMax = settings.eventMax
    switch settings.sink {
    case .lines:
      isJSON = false
      // Not registered, but what tools expect of newline-delimited JSON.
      contentType = "application/x-ndjson"
      before = []
      after = [0x0a]
    case .eventHubs:
      isJSON = true
      // Bare: with parameters the service is known to take the whole array for one event.
      contentType = "application/vnd.microsoft.servicebus.json"
      before = Array(#"{"Body":""#.utf8)
      var properties = JSONWriter()
      properties.beginObject()
      for (name, value) in settings.userProperties {
        properties.key(name)
        properties.string(value)
      }
      properties.endObject()
      after =
        settings.userProperties.isEmpty
        ? Array(#""}"#.utf8) : Array(#"","UserProperties":"#.utf8) + properties.bytes + Array("}".utf8)
    }
    overhead = before.count + after.count + (isJSON ? 1 : 0)
  }

  /// Whether the record may be sent at all, standing alone.
  func fits(_ record: [UInt8]) -> Bool {
    guard record.count <= eventMax, record.count <= bodyMax else { return false }
    return !isJSON || element(record).count + 2 <= bodyMax
  }

  private func element(_ record: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    append(record, to: &bytes)
    return bytes
  }

  private func append(_ record: [UInt8], to bytes: inout [UInt8]) {
    bytes += before
    if isJSON { appendEscaped(record, to: &bytes) } else { bytes += record }
    bytes += after
  }

  /// As many records as fit, from the first one; the first one fits (`fits`).
  func compose(_ records: some Sequence<StoredRecord>, _ lane: SpoolLane = .oldest) -> Batch {
    var body: [UInt8] = isJSON ? [0x5b] : []
    var taken: [StoredRecord] = []
    var elements: [Range<Int>] = []
    for record in records {
      guard taken.count < eventsMax, taken.isEmpty || record.bytes.count <= eventMax else { break }
      let end = body.count
      if isJSON, !taken.isEmpty { body.append(0x2c) }
      let start = body.count
      append(record.bytes, to: &body)
      guard taken.isEmpty || body.count + 1 <= bodyMax else {
        body.removeLast(body.count - end)
        break
      }
      taken.append(record)
      elements.append(start..<body.count)
    }
    if isJSON { body.append(0x5d) }
    return Batch(records: taken, lane: lane, body: body, elements: elements, isJSON: isJSON)
  }
}
