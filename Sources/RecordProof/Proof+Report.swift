extension Proof {
  /// What the lines prove; call after `close` and `revisit`.
  package func report() -> ProofReport {
    var reports = boots.map { BootReport(boot: $0.name) }
    count(&reports)
    findReusedIDs(&reports)
    let named = Dictionary(uniqueKeysWithValues: boots.enumerated().map { ($1.name, $0) })
    for (index, boot) in boots.enumerated() {
      reports[index].previous = boot.previous?.boot
      reports[index].previousLast = boot.previous?.last
      reports[index].altered = numbers(boot.altered)
      reports[index].unproved = numbers(boot.unproved)
      reports[index].otherSandboxes = boot.sandboxes.count > 1 ? boot.sandboxes.sorted() : []
      guard let previous = boot.previous else { continue }
      let place: Int
      if let known = named[previous.boot] {
        place = known
      } else if let known = reports[boots.count...].firstIndex(where: { $0.boot == previous.boot }) {
        place = known
      } else {
        place = reports.count
        reports.append(BootReport(boot: previous.boot))
      }
      reports[place].successors.append(boot.name)
      if let last = previous.last { reports[place].last = max(reports[place].last, last) }
    }
    let claims = Dictionary(grouping: drops, by: \.boot)
    for index in reports.indices { account(&reports[index], claims[reports[index].boot]?.map(\.claim) ?? []) }
    return ProofReport(
      sandboxes: grouped(reports), records: entries.count, duplicates: duplicates, outOfOrder: outOfOrder)
  }

  /// Numbers that are there, contradictions and sums.
  private func count(_ reports: inout [BootReport]) {
    var present = NumberRanges()
    for (place, entry) in entries.enumerated() {
      let index = Int(entry.boot)
      if place == 0 || entries[place - 1].boot != entry.boot { present = NumberRanges() }
      if let last = present.ranges.last?.upperBound, last == entry.sequence {
        reports[index].contradicted.append(entry.sequence)
      } else {
        present.append(entry.sequence)
        if let sum = entry.sum { reports[index].sums.add(UInt64(entry.count), to: sum) }
      }
      reports[index].records += 1
      if place + 1 == entries.count || entries[place + 1].boot != entry.boot {
        reports[index].last = entry.sequence
        reports[index].isStopped = boots[index].stop == entry.sequence
        // For the time being what is there; `account` turns it round.
        reports[index].missing = present
      }
    }
  }

  private func account(_ report: inout BootReport, _ claims: [ProofDrop]) {
    let present = report.missing
    guard report.last > 0 else { return }
    let gaps = NumberRanges([1...report.last]).subtracting(present)
    let answered = NumberRanges(claims.compactMap(\.sequences))
    report.missing = gaps.subtracting(answered)
    report.dropped = gaps.intersecting(answered)
    report.drops = claims.sorted { ($0.toldBy, $0.at) < ($1.toldBy, $1.at) }
    let counted = claims.reduce(UInt64(0)) { $0.addingReportingOverflow($1.count).partialValue }
    report.uncounted = report.dropped.count > counted ? report.dropped.count - counted : 0
  }

  /// One id on two different records: one of them was copied or invented.
  private func findReusedIDs(_ reports: inout [BootReport]) {
    let byID = entries.indices.sorted { (entries[$0].uniqueID, $0) < (entries[$1].uniqueID, $1) }
    var found: [UInt32: [UInt64]] = [:]
    for (left, right) in zip(byID, byID.dropFirst()) where entries[left].uniqueID == entries[right].uniqueID {
      // Two records with one number contradict each other already.
      if entries[left].boot == entries[right].boot, entries[left].sequence == entries[right].sequence { continue }
      for place in [left, right] { found[entries[place].boot, default: []].append(entries[place].sequence) }
    }
    for (boot, sequences) in found { reports[Int(boot)].reusedIDs = numbers(sequences) }
  }

  private func numbers(_ sequences: [UInt64]) -> NumberRanges { NumberRanges(sequences.map { $0...$0 }) }

  /// By sandbox, and in each sandbox every start after the one it follows.
  private func grouped(_ reports: [BootReport]) -> [SandboxReport] {
    var sandboxOf: [String: String] = [:]
    for boot in boots { sandboxOf[boot.name] = boot.sandboxes.min() ?? "" }
    // A start of which only its successor tells is of that one's sandbox.
    for report in reports where sandboxOf[report.boot] == nil {
      sandboxOf[report.boot] = report.successors.first.flatMap { sandboxOf[$0] } ?? ""
    }
    let known = Dictionary(uniqueKeysWithValues: reports.map { ($0.boot, $0) })
    var groups: [String: [BootReport]] = [:]
    var placed: Set<String> = []
    func place(_ start: BootReport) {
      // In a loop, since a chain of starts may be long; each boot once, since names may be forged into a circle.
      var waiting = [start]
      while let report = waiting.popLast() {
        guard placed.insert(report.boot).inserted else { continue }
        groups[sandboxOf[report.boot] ?? "", default: []].append(report)
        waiting += report.successors.reversed().compactMap { known[$0] }
      }
    }
    for report in reports where report.previous.map({ known[$0] == nil }) ?? true { place(report) }
    for report in reports { place(report) }
    return groups.sorted { $0.key < $1.key }.map { SandboxReport(sandbox: $0.key, boots: $0.value) }
  }
}
