import FlowAudit

/// Proves that records are complete, or says what is wrong with them.
///
/// Give every line once to `add`; keep what it returns, with the place of the line. Then call `close`, give those lines to `revisit`, and take the `report`.
package struct Proof {
  /// A line that has to be given once more.
  package struct Revisit: Hashable, Sendable {
    var boot: UInt32
    var sequence: UInt64
  }

  /// What is kept of a record: 72 octets.
  struct Entry: Sendable {
    var boot: UInt32
    /// `EventCount`, as far as it is needed for the sums.
    var count: UInt32
    var sequence: UInt64
    var link: Halves
    /// Of the whole line: two lines are the same when it is.
    var digest: Halves
    var uniqueID: Halves
    /// What it counts as.
    var sum: ProofSums.Column?
  }

  struct Boot: Sendable {
    let name: String
    var sandboxes: Set<String> = []
    var lastSequence: UInt64?
    var lastLink: [UInt8] = []
    var lastDigest: Halves?
    var previous: (boot: String, last: UInt64?)?
    var stop: UInt64?
    var unproved: [UInt64] = []
    var altered: [UInt64] = []
  }

  let hash: AuditLog.Hash
  var boots: [Boot] = []
  private var numbers: [String: UInt32] = [:]
  var entries: [Entry] = []
  /// Whose records are dropped, by whom it is told.
  var drops: [(boot: String, claim: ProofDrop)] = []
  private(set) var duplicates: UInt64 = 0
  private(set) var outOfOrder: UInt64 = 0

  /// `hash` is SHA-256.
  package init(hash: @escaping AuditLog.Hash) { self.hash = hash }

  /// Takes one line, without its newline. Throws, and takes nothing, when it is no record; nil when it need not be seen again.
  package mutating func add(_ bytes: [UInt8]) throws(LineFault) -> Revisit? {
    let line = try AuditLine(bytes)
    let number = numbers[line.boot] ?? UInt32(truncatingIfNeeded: boots.count)
    if Int(number) == boots.count {
      numbers[line.boot] = number
      boots.append(Boot(name: line.boot))
    }
    let index = Int(number)
    let digest = Halves(hash(bytes))
    if boots[index].lastSequence == line.sequence, boots[index].lastDigest == digest {
      duplicates += 1
      return nil
    }
    boots[index].sandboxes.insert(line.sandbox)
    entries.append(
      Entry(
        boot: number, count: UInt32(clamping: line.dropped?.count ?? line.count), sequence: line.sequence,
        link: Halves(base64URL: line.link) ?? Halves([]), digest: digest, uniqueID: line.uniqueID,
        sum: ProofSums.Column(line)))
    note(line, index)
    let isNext = line.sequence == 1 || boots[index].lastSequence == line.sequence - 1
    if !isNext, let last = boots[index].lastSequence, last > line.sequence { outOfOrder += 1 }
    let before = line.sequence == 1 ? Array(line.boot.utf8) : boots[index].lastLink
    let isProved = isNext && RecordChain.link(over: before + line.rest, hash: hash) == line.link
    boots[index].lastSequence = line.sequence
    boots[index].lastLink = line.link
    boots[index].lastDigest = digest
    return isProved ? nil : Revisit(boot: number, sequence: line.sequence)
  }

  /// Every line was given: the links are put in order for `revisit`.
  package mutating func close() {
    entries.sort { ($0.boot, $0.sequence, $0.digest) < ($1.boot, $1.sequence, $1.digest) }
    let before = entries.count
    entries.removeRepeats { $0.boot == $1.boot && $0.sequence == $1.sequence && $0.digest == $1.digest }
    duplicates += UInt64(before - entries.count)
  }

  /// The same line again, after `close`.
  package mutating func revisit(_ bytes: [UInt8], _ revisit: Revisit) {
    let index = Int(revisit.boot)
    guard let split = RecordChain.split(bytes) else {
      boots[index].altered.append(revisit.sequence)
      return
    }
    var before: [[UInt8]] = []
    if revisit.sequence == 1 {
      before = [Array(boots[index].name.utf8)]
    } else if let place = firstEntry(revisit.boot, revisit.sequence), place > 0, entries[place - 1].boot == revisit.boot
    {
      // Two different records with one number: either may be the one before.
      let last = entries[place - 1].sequence
      before = entries[..<place].reversed().prefix { $0.boot == revisit.boot && $0.sequence == last }
        .map { base64URL($0.link.octets) }
      if last != revisit.sequence - 1,
        !before.contains(where: { RecordChain.link(over: $0 + split.rest, hash: hash) == split.link })
      {
        boots[index].unproved.append(revisit.sequence)
        return
      }
    } else {
      boots[index].unproved.append(revisit.sequence)
      return
    }
    if !before.contains(where: { RecordChain.link(over: $0 + split.rest, hash: hash) == split.link }) {
      boots[index].altered.append(revisit.sequence)
    }
  }

  private mutating func note(_ line: AuditLine, _ index: Int) {
    switch line.kind {
    case .sidecarStart where line.sequence == 1: boots[index].previous = line.previous
    case .sidecarStop: boots[index].stop = line.sequence
    default: break
    }
    if let dropped = line.dropped {
      drops.append(
        (
          dropped.boot ?? line.boot,
          ProofDrop(
            toldBy: line.boot, at: line.sequence, sequences: dropped.sequences, count: dropped.count,
            reason: dropped.reason)
        ))
    }
  }

  /// The place of the first entry of this number.
  private func firstEntry(_ boot: UInt32, _ sequence: UInt64) -> Int? {
    var low = 0
    var high = entries.count
    while low < high {
      let middle = (low + high) / 2
      if (entries[middle].boot, entries[middle].sequence) < (boot, sequence) { low = middle + 1 } else { high = middle }
    }
    return low < entries.count && entries[low].boot == boot && entries[low].sequence == sequence ? low : nil
  }
}

extension Array {
  /// Of neighbours that are the same, the first stays.
  fileprivate mutating func removeRepeats(_ isSame: (Element, Element) -> Bool) {
    guard var kept = indices.first else { return }
    for index in indices.dropFirst() where !isSame(self[kept], self[index]) {
      kept += 1
      self[kept] = self[index]
    }
    removeLast(count - kept - 1)
  }
}
