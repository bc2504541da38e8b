import JSONText

extension ProofReport {
  /// For people: a line for each start, what is wrong below it, and the verdict last. `brokenLines`: lines that are no record.
  package func text(brokenLines: Int) -> String {
    var lines: [String] = []
    for sandbox in sandboxes {
      lines.append("sandbox \(sandbox.sandbox)")
      for boot in sandbox.boots { lines += boot.lines.map { "  \($0)" } }
    }
    lines.append(
      "\(records) records, \(duplicates) duplicates (each equal to its first, octet by octet), \(outOfOrder) lines out of order"
    )
    lines.append(verdict(brokenLines: brokenLines))
    return lines.joined(separator: "\n") + "\n"
  }

  private func verdict(brokenLines: Int) -> String {
    if isComplete, brokenLines == 0 {
      let starts = boots.count == 1 ? "1 start" : "\(boots.count) starts"
      return "complete: \(records) records of \(starts), none missing, none altered"
    }
    var wrong: [String] = []
    func say(_ count: UInt64, _ what: String) { if count > 0 { wrong.append("\(count) \(what)") } }
    func sum(_ part: (BootReport) -> UInt64) -> UInt64 {
      boots.reduce(0) { $0.addingReportingOverflow(part($1)).partialValue }
    }
    if records == 0 { wrong.append("no record") }
    say(sum { $0.missing.count }, "missing")
    say(sum { $0.altered.count }, "altered")
    say(sum { $0.contradicted.count }, "contradicted")
    say(UInt64(boots.count { !$0.isComplete }), "of \(boots.count) starts with faults")
    say(UInt64(brokenLines), "lines that are no record")
    return "not complete: " + wrong.joined(separator: ", ")
  }

  /// For programs: one object. `broken`: the lines that are no record.
  package func json(broken: [(file: String, line: Int, reason: String)], brokenLines: Int) -> [UInt8] {
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("complete")
    writer.bool(isComplete && brokenLines == 0)
    writer.key("records")
    writer.integer(records)
    writer.key("duplicates")
    writer.integer(duplicates)
    writer.key("outOfOrder")
    writer.integer(outOfOrder)
    writer.key("brokenLines")
    writer.integer(brokenLines)
    writer.key("broken")
    writer.beginArray()
    for line in broken {
      writer.beginObject()
      writer.key("file")
      writer.string(line.file)
      writer.key("line")
      writer.integer(line.line)
      writer.key("reason")
      writer.string(line.reason)
      writer.endObject()
    }
    writer.endArray()
    writer.key("sandboxes")
    writer.beginArray()
    for sandbox in sandboxes {
      writer.beginObject()
      writer.key("sandbox")
      writer.string(sandbox.sandbox)
      writer.key("boots")
      writer.beginArray()
      for boot in sandbox.boots { boot.write(to: &writer) }
      writer.endArray()
      writer.endObject()
    }
    writer.endArray()
    writer.endObject()
    return writer.bytes
  }
}

extension BootReport {
  fileprivate var lines: [String] {
    var first = "start \(boot): "
    first += last == 0 ? "0 records" : "\(records) records, numbers 1–\(last)"
    if !dropped.isEmpty { first += ", dropped and answered for \(dropped) (\(dropped.count))" }
    if let previous { first += "; follows \(previous)" }
    if successors.isEmpty { first += isStopped ? "; stopped" : "; its end is open: a later start will tell" }
    var lines = [first]
    for fault in faults { lines.append("  \(fault)") }
    if !unproved.isEmpty {
      lines.append("  not provable, their predecessor is gone: \(unproved) (\(unproved.count))")
    }
    lines.append(
      "  flows: \(sums.allowed) allowed, \(sums.denied) denied, \(sums.inbound) inbound, \(sums.own) the sidecar's own, \(sums.adopted) taken over, \(sums.closed) ended; queries: \(sums.queriesAllowed) allowed, \(sums.queriesDenied) denied"
    )
    if sums.lostAllowed > 0 || sums.lostDenied > 0 {
      lines.append("  counted as lost: flows, \(sums.lostAllowed) allowed and \(sums.lostDenied) denied")
    }
    return lines
  }

  fileprivate func write(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.key("boot")
    writer.string(boot)
    writer.key("complete")
    writer.bool(isComplete)
    writer.key("records")
    writer.integer(records)
    writer.key("last")
    writer.integer(last)
    if let previous {
      writer.key("previous")
      writer.string(previous)
    }
    if let previousLast {
      writer.key("previousLast")
      writer.integer(previousLast)
    }
    writer.key("stopped")
    writer.bool(isStopped)
    writer.key("faults")
    writer.beginArray()
    for fault in faults { writer.string(fault) }
    writer.endArray()
    for (name, ranges) in [
      ("missing", missing), ("dropped", dropped), ("altered", altered), ("contradicted", contradicted),
      ("reusedIds", reusedIDs), ("unproved", unproved),
    ] {
      writer.key(name)
      writer.beginArray()
      for range in ranges.ranges {
        writer.beginArray()
        writer.integer(range.lowerBound)
        writer.integer(range.upperBound)
        writer.endArray()
      }
      writer.endArray()
    }
    writer.key("drops")
    writer.beginArray()
    for drop in drops {
      writer.beginObject()
      writer.key("toldBy")
      writer.string(drop.toldBy)
      writer.key("at")
      writer.integer(drop.at)
      writer.key("count")
      writer.integer(drop.count)
      writer.key("reason")
      writer.string(drop.reason)
      writer.endObject()
    }
    writer.endArray()
    writer.key("flows")
    writer.beginObject()
    for (name, count) in [
      ("allowed", sums.allowed), ("denied", sums.denied), ("inbound", sums.inbound), ("own", sums.own),
      ("adopted", sums.adopted),
      ("ended", sums.closed), ("lostAllowed", sums.lostAllowed), ("lostDenied", sums.lostDenied),
    ] {
      writer.key(name)
      writer.integer(count)
    }
    writer.endObject()
    writer.key("queries")
    writer.beginObject()
    writer.key("allowed")
    writer.integer(sums.queriesAllowed)
    writer.key("denied")
    writer.integer(sums.queriesDenied)
    writer.endObject()
    writer.endObject()
  }
}
