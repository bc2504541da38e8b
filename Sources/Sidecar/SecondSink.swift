import Spool
import Timekeeping

/// A copy of the stream beside the hub (`SALLYPORT_AUDIT_FILE` with `SALLYPORT_EVENTHUB_URL`): each record once it is stored, in order, in as few writes as the file takes.
///
/// It never holds up the hub. What the file refuses, or is too slow for, is missing in it and counted; the records' own sequence numbers tell which. The hub's stream is the one that is
/// promised to be whole.
struct SecondSink: Sendable {
  /// Octets that wait for the file: 4 MiB, some 2,800 records; beyond it records are missing in the file.
  static let waitingMax = 4 << 20

  /// Lines of groups that are not stored yet, by ticket.
  private var held: [(ticket: SpoolTicket, lines: [UInt8], count: UInt64)] = []
  private var waiting: [UInt8] = []
  private var waitingCount: UInt64 = 0
  private var underWay: (id: UInt64, octets: Int, count: UInt64)?
  private var octets = 0
  private var nextID: UInt64 = 1
  private(set) var missing: UInt64 = 0
  /// Why the last write failed; nil when it did not.
  private(set) var error: String?

  /// Records that were handed to the spool.
  mutating func add(_ records: [SpoolRecord], _ ticket: SpoolTicket) {
    let size = records.reduce(0) { $0 + $1.bytes.count + 1 }
    guard octets + size <= Self.waitingMax else {
      missing += UInt64(records.count)
      return
    }
    octets += size
    var lines: [UInt8] = []
    lines.reserveCapacity(size)
    for record in records {
      lines += record.bytes
      lines.append(0x0a)
    }
    held.append((ticket, lines, UInt64(records.count)))
  }

  /// Every group up to this ticket is stored.
  mutating func release(through ticket: SpoolTicket) {
    var count = 0
    while count < held.count, held[count].ticket <= ticket {
      waiting += held[count].lines
      waitingCount += held[count].count
      count += 1
    }
    held.removeFirst(count)
  }

  /// The next write, when none is under way.
  mutating func next() -> (id: UInt64, lines: [UInt8])? {
    guard underWay == nil, !waiting.isEmpty else { return nil }
    let id = nextID
    nextID += 1
    underWay = (id, waiting.count, waitingCount)
    let lines = waiting
    waiting = []
    waitingCount = 0
    return (id, lines)
  }

  /// A write has ended. Its lines are in the file, or none of them is.
  /// - Returns: whether the file changed its mind.
  mutating func copied(_ id: UInt64, _ outcome: StorageOutcome) -> Bool {
    guard let written = underWay, written.id == id else { return false }
    underWay = nil
    octets -= written.octets
    let before = error
    switch outcome {
    case .ok: error = nil
    case .failed(let reason):
      error = reason
      missing += written.count
    }
    return (before == nil) != (error == nil)
  }
}
