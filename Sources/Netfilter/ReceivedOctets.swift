import FlowAudit

/// Every reading of what the kernel sends, without a socket: a datagram in, what was understood out. Whoever feeds foreign octets to this module does so here.
package enum ReceivedOctets {
  /// Entries of connection tracking, in order. `isAnswer`: they are snapshots and no events.
  package static func conntrack(_ datagram: [UInt8], isAnswer: Bool) -> [ConntrackEvent] {
    var events: [ConntrackEvent] = []
    ConntrackParser.parse(datagram.span, length: datagram.count, isAnswer: isAnswer, into: &events)
    return events
  }

  /// What of a listing or of an event of nf_tables was understood, in words: each message as every reader of this module takes it.
  package static func tables(_ datagram: [UInt8], table: String) -> [String] {
    let bytes = datagram.span
    var offset = 0
    var found: [String] = []
    while let message = NetlinkMessage.read(at: &offset, in: bytes, end: bytes.count) {
      found.append("message \(message.type) of \(message.payload.count) octets")
      if let code = message.errorCode(in: bytes) { found.append("code \(code)") }
      if let text = message.errorText(in: bytes) { found.append("text \(text)") }
      if let step = foreignStep(message, table: table, in: bytes) { found.append("\(step)") }
      if let process = foreignProcess(message, in: bytes) { found.append(process) }
      if let count = ruleCount(message, in: bytes) { found.append("\(count)") }
      if let octets = firstComparison(message, in: bytes) { found.append("compares \(octets)") }
      if let chain = jump(message, in: bytes) { found.append("jumps to \(chain)") }
      var reader = message.attributes(in: bytes)
      while let attribute = reader.nextAttribute(in: bytes) {
        found.append("expressions of \(expressions(attribute.value, in: bytes).count) octets")
        var list = AttributeReader(attribute.value, in: bytes)
        while let item = list.nextAttribute(in: bytes) { found.append("\(rawElement(item.value, in: bytes))") }
      }
    }
    return found
  }
}
