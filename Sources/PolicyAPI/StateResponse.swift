import Addressing
import HTTPWire
import JSONText
import Timekeeping

extension HTTPResponse {
  /// The answer to `/healthz`: `ok`, or 503 with the first reason.
  package static func health(reasons: [String]) -> HTTPResponse {
    guard let reason = reasons.first else { return HTTPResponse.text(200, "ok") }
    return .text(503, reason + "\n")
  }

  /// The answer to `GET /readyz`: 200 when nothing is missing, else 503 with everything that is.
  package static func ready(reasons: [String]) -> HTTPResponse {
    .json(reasons.isEmpty ? 200 : 503) { writer in
      writer.key("ready")
      writer.bool(reasons.isEmpty)
      writer.key("reasons")
      writer.beginArray()
      for reason in reasons { writer.string(reason) }
      writer.endArray()
    }
  }

  /// The answer to `GET /metrics`: `text` in the Prometheus exposition format, version 0.0.4.
  package static func metrics(_ text: [UInt8]) -> HTTPResponse {
    HTTPResponse(status: 200, headers: ["Content-Type": "text/plain; version=0.0.4; charset=utf-8"], body: text)
  }

  /// The answer to `GET /owner`, and to a `PUT /owner` that bound or found the same owner.
  package static func owner(_ view: OwnerView) -> HTTPResponse {
    .json { writer in
      writer.key("state")
      writer.string(view.binding == nil ? "unbound" : "bound")
      writer.key("required")
      writer.bool(view.isRequired)
      guard let binding = view.binding else { return }
      writer.key("tenantId")
      writer.string(binding.tenant)
      writer.key("objectId")
      writer.string(binding.object)
      writer.key("bindingId")
      writer.string(binding.identifier)
      writer.key("source")
      writer.string(binding.source)
      writer.key("boundAt")
      writer.string(binding.boundAt.description)
      if let session = binding.session {
        writer.key("sessionId")
        writer.string(session)
      }
      if let claim = binding.claim {
        writer.key("claimUid")
        writer.string(claim)
      }
    }
  }

  /// The answer to a `PUT /owner` whose token proves nothing: it is the credential that was refused (RFC 6750 §3.1).
  package static func unproved(_ reason: String, form: ErrorForm) -> HTTPResponse {
    Refusal(401, reason, headers: ["WWW-Authenticate": "Bearer error=\"invalid_token\""]).response(form)
  }

  /// The answer to `GET /flows`, in the order given.
  package static func flows(_ flows: some Sequence<FlowView>, denied: [DenialView] = []) -> HTTPResponse {
    .json { writer in
      writer.key("flows")
      writer.beginArray()
      for flow in flows { writer.flow(flow) }
      writer.endArray()
      writer.key("denied")
      writer.beginArray()
      for denial in denied { writer.denial(denial) }
      writer.endArray()
    }
  }

  /// The answer to `GET /audit`.
  package static func audit(_ view: AuditView) -> HTTPResponse {
    .json { writer in
      writer.key("bootId")
      writer.string(view.bootIdentifier)
      writer.key("sequence")
      writer.integer(view.sequence)
      writer.key("spoolRecords")
      writer.integer(view.spoolRecords)
      writer.key("spoolBytes")
      writer.integer(view.spoolBytes)
      writer.key("oldestUnacknowledgedSeconds")
      if let age = view.oldestUnacknowledged { writer.integer(age.seconds) } else { writer.null() }
      writer.key("droppedRecords")
      writer.integer(view.droppedRecords)
      writer.key("delivery")
      writer.string(view.delivery)
      if let reason = view.deliveryReason {
        writer.key("deliveryReason")
        writer.string(reason)
      }
      writer.key("acknowledgedSequence")
      if let sequence = view.acknowledgedSequence { writer.integer(sequence) } else { writer.null() }
      writer.key("quarantinedRecords")
      writer.integer(view.quarantinedRecords)
      writer.key("batches")
      writer.integer(view.batches)
      writer.key("batchBytes")
      writer.integer(view.batchBytes)
      writer.key("retries")
      writer.beginObject()
      for (cause, count) in view.retries {
        writer.key(cause)
        writer.integer(count)
      }
      writer.endObject()
      writer.key("gate")
      writer.string(view.gateClosedBy ?? "open")
      writer.key("leaseSecondsLeft")
      if let left = view.leaseLeft { writer.integer(left.seconds) } else { writer.null() }
      writer.key("overrideSecondsLeft")
      if let left = view.overrideLeft { writer.integer(left.seconds) } else { writer.null() }
      guard let file = view.auditFile else { return }
      writer.key("auditFile")
      writer.beginObject()
      writer.key("missingRecords")
      writer.integer(file.missingRecords)
      if let error = file.error {
        writer.key("error")
        writer.string(error)
      }
      writer.endObject()
    }
  }
}

/// What `GET /owner` shows.
package struct OwnerView: Hashable, Sendable {
  package struct Binding: Hashable, Sendable {
    /// GUIDs in lower case.
    package var tenant: String
    package var object: String
    package var identifier: String
    /// `static` or `token`.
    package var source: String
    package var boundAt: WallTime
    /// What the token said of session and claim; nil when it said nothing.
    package var session: String?
    package var claim: String?

    package init(
      tenant: String, object: String, identifier: String, source: String, boundAt: WallTime, session: String? = nil,
      claim: String? = nil
    ) {
      self.tenant = tenant
      self.object = object
      self.identifier = identifier
      self.source = source
      self.boundAt = boundAt
      self.session = session
      self.claim = claim
    }
  }

  /// Nil while nobody is bound.
  package var binding: Binding?
  package var isRequired: Bool

  package init(binding: Binding?, isRequired: Bool) {
    self.binding = binding
    self.isRequired = isRequired
  }
}

/// One live flow, as `GET /flows` shows it.
package struct FlowView: Hashable, Sendable {
  /// `NetworkSessionId` of its records.
  package var session: String
  /// It came into the pod.
  package var isInbound: Bool
  /// The name by which the workload learned the address; nil when it asked DNS for none.
  package var name: String?
  /// Every name that leases the address.
  package var names: [String]
  package var source: Addressing.Endpoint
  package var destination: IPAddress
  package var port: UInt16
  package var transport: TransportProtocol
  package var bytesSent: UInt64
  package var bytesReceived: UInt64
  package var packetsSent: UInt64
  package var packetsReceived: UInt64
  /// The text of the rule that allowed it.
  package var rule: String
  package var startedAt: WallTime
  package var age: TimeSpan

  package init(
    session: String, isInbound: Bool = false, name: String?, names: [String] = [], source: Addressing.Endpoint,
    destination: IPAddress, port: UInt16, transport: TransportProtocol, bytesSent: UInt64, bytesReceived: UInt64,
    packetsSent: UInt64 = 0, packetsReceived: UInt64 = 0, rule: String, startedAt: WallTime, age: TimeSpan
  ) {
    self.session = session
    self.isInbound = isInbound
    self.name = name
    self.names = names
    self.source = source
    self.destination = destination
    self.port = port
    self.transport = transport
    self.bytesSent = bytesSent
    self.bytesReceived = bytesReceived
    self.packetsSent = packetsSent
    self.packetsReceived = packetsReceived
    self.rule = rule
    self.startedAt = startedAt
    self.age = age
  }
}

/// What was denied, repeats in one, as `GET /flows` shows it.
package struct DenialView: Hashable, Sendable {
  /// Nil when no name is known.
  package var name: String?
  /// Nil for a name that was asked for.
  package var destination: Addressing.Endpoint?
  package var transport: TransportProtocol?
  package var reason: String
  package var rule: String?
  package var count: UInt64
  /// Since the last try.
  package var age: TimeSpan

  package init(
    name: String?, destination: Addressing.Endpoint?, transport: TransportProtocol?, reason: String, rule: String?,
    count: UInt64, age: TimeSpan
  ) {
    self.name = name
    self.destination = destination
    self.transport = transport
    self.reason = reason
    self.rule = rule
    self.count = count
    self.age = age
  }
}

/// The state of the audit trail, as `GET /audit` shows it.
package struct AuditView: Sendable {
  package var bootIdentifier: String
  /// `SbxSeq` of the last record.
  package var sequence: UInt64
  /// Records and octets not yet acknowledged.
  package var spoolRecords: UInt64
  package var spoolBytes: UInt64
  /// How long the oldest unacknowledged record has waited; nil when there is none.
  package var oldestUnacknowledged: TimeSpan?
  package var droppedRecords: UInt64
  /// One word: `delivering`, `waiting`, `stopped`.
  package var delivery: String
  package var deliveryReason: String?
  /// Every record of this boot up to it was acknowledged; nil when none was.
  package var acknowledgedSequence: UInt64?
  package var quarantinedRecords: UInt64 = 0
  /// Requests that the hub accepted, and the octets of their bodies.
  package var batches: UInt64 = 0
  package var batchBytes: UInt64 = 0
  /// Attempts that had to be repeated, by cause, in this order.
  package var retries: [(cause: String, count: UInt64)] = []
  /// Why new flows are refused; nil while they pass.
  package var gateClosedBy: String?
  /// What is left of the audit lease; nil without one, or before the first delivery.
  package var leaseLeft: TimeSpan?
  package var overrideLeft: TimeSpan?
  /// The audit file beside the hub; nil without one.
  package var auditFile: FileView?

  /// What the file does not have, and why its last write failed.
  package struct FileView: Hashable, Sendable {
    package var missingRecords: UInt64
    package var error: String?

    package init(missingRecords: UInt64, error: String?) {
      self.missingRecords = missingRecords
      self.error = error
    }
  }

  package init(
    bootIdentifier: String, sequence: UInt64, spoolRecords: UInt64, spoolBytes: UInt64,
    oldestUnacknowledged: TimeSpan?, droppedRecords: UInt64, delivery: String, deliveryReason: String? = nil
  ) {
    self.bootIdentifier = bootIdentifier
    self.sequence = sequence
    self.spoolRecords = spoolRecords
    self.spoolBytes = spoolBytes
    self.oldestUnacknowledged = oldestUnacknowledged
    self.droppedRecords = droppedRecords
    self.delivery = delivery
    self.deliveryReason = deliveryReason
  }
}

extension JSONWriter {
  mutating func flow(_ flow: FlowView) {
    beginObject()
    key("session")
    string(flow.session)
    key("direction")
    string(flow.isInbound ? "inbound" : "outbound")
    key("verdict")
    string("allow")
    if let name = flow.name {
      key("name")
      string(name)
    }
    key("names")
    beginArray()
    for name in flow.names { string(name) }
    endArray()
    key("source")
    string(flow.source.address.description)
    key("sourcePort")
    integer(flow.source.port)
    key("address")
    string(flow.destination.description)
    key("port")
    integer(flow.port)
    key("protocol")
    string(flow.transport.description)
    key("bytesSent")
    integer(flow.bytesSent)
    key("bytesReceived")
    integer(flow.bytesReceived)
    key("packetsSent")
    integer(flow.packetsSent)
    key("packetsReceived")
    integer(flow.packetsReceived)
    key("rule")
    string(flow.rule)
    key("startedAt")
    string(flow.startedAt.description)
    key("ageSeconds")
    integer(flow.age.seconds)
    endObject()
  }

  fileprivate mutating func denial(_ denial: DenialView) {
    beginObject()
    key("verdict")
    string("deny")
    if let name = denial.name {
      key("name")
      string(name)
    }
    if let destination = denial.destination {
      key("address")
      string(destination.address.description)
      key("port")
      integer(destination.port)
    }
    key("protocol")
    string(denial.transport?.description ?? "dns")
    key("reason")
    string(denial.reason)
    if let rule = denial.rule {
      key("rule")
      string(rule)
    }
    key("count")
    integer(denial.count)
    key("ageSeconds")
    integer(denial.age.seconds)
    endObject()
  }
}
