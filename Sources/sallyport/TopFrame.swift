import JSONText
import Timekeeping

/// What the API said at one moment.
struct TopFrame {
  struct Flow {
    var session: String
    var name: String?
    var address: String
    var port: Int64
    var transport: String
    var isInbound: Bool
    var sent: Int64
    var received: Int64
    var rule: String
    var age: Int64
  }

  struct Denial {
    var name: String?
    var address: String?
    var port: Int64?
    var transport: String
    var reason: String
    var rule: String?
    var count: Int64
    var age: Int64
  }

  let at: Instant
  let flows: [Flow]
  let denied: [Denial]
  /// `TENANT/OBJECT`; nil while nobody owns the sandbox.
  let owner: String?
  /// What is missing; empty when ready.
  let reasons: [String]
  let sequence: Int64
  let dropped: Int64
  let delivery: String
  let oldestWaiting: Int64?
  /// The answers as one object.
  let json: [UInt8]

  init(_ reader: APIReader, at now: Instant) throws(APIFailure) {
    let flows = try reader.object("/flows")
    let owner = try reader.object("/owner")
    let audit = try reader.object("/audit")
    let ready = try reader.object("/readyz")
    at = now
    self.flows = (flows["flows"]?.array ?? []).map {
      Flow(
        session: $0["session"]?.string ?? "", name: $0["name"]?.string, address: $0["address"]?.string ?? "",
        port: $0["port"]?.integer ?? 0, transport: $0["protocol"]?.string ?? "",
        isInbound: $0["direction"]?.string == "inbound", sent: $0["bytesSent"]?.integer ?? 0,
        received: $0["bytesReceived"]?.integer ?? 0, rule: $0["rule"]?.string ?? "", age: $0["ageSeconds"]?.integer ?? 0
      )
    }
    denied = (flows["denied"]?.array ?? []).map {
      Denial(
        name: $0["name"]?.string, address: $0["address"]?.string, port: $0["port"]?.integer,
        transport: $0["protocol"]?.string ?? "", reason: $0["reason"]?.string ?? "", rule: $0["rule"]?.string,
        count: $0["count"]?.integer ?? 0, age: $0["ageSeconds"]?.integer ?? 0)
    }
    if let tenant = owner["tenantId"]?.string, let object = owner["objectId"]?.string {
      self.owner = "\(tenant)/\(object)"
    } else {
      self.owner = nil
    }
    reasons = ready["ready"]?.bool == true ? [] : (ready["reasons"]?.array ?? []).compactMap(\.string)
    sequence = audit["sequence"]?.integer ?? 0
    dropped = audit["droppedRecords"]?.integer ?? 0
    delivery = audit["delivery"]?.string ?? ""
    oldestWaiting = audit["oldestUnacknowledgedSeconds"]?.integer
    var writer = JSONWriter()
    writer.value(
      .object([
        JSONMember("flows", flows["flows"] ?? .array([])), JSONMember("denied", flows["denied"] ?? .array([])),
        JSONMember("owner", owner), JSONMember("audit", audit), JSONMember("ready", ready),
      ]))
    json = writer.bytes
  }
}
