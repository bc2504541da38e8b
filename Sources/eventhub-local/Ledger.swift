import JSONText
import LinuxIO
import Synchronization
import Timekeeping

/// Every accepted event: its exact text on a line of its own in FILE (what `sallyport verify` reads), and on the same
/// line of FILE.index where and when it was put: `{"partition":0,"sequence":1,"enqueued":"…"}`. A batch goes to one
/// partition, as with the service; partitions take turns. FILE.requests has a line for each request, accepted or not:
/// `{"at":"…","outcome":"201","events":3,"octets":2000}`; the outcome is the status, or what went wrong by script.
final class Ledger: Sendable {
  private struct State: Sendable {
    var nextPartition = 0
    var nextSequence: [Int]
  }

  /// What the service's hub of the project has.
  static let partitionCount = 4

  private let events: File
  private let index: File
  private let requests: File
  private let state = Mutex(State(nextSequence: Array(repeating: 0, count: Ledger.partitionCount)))

  /// Appends to what is there; sequence numbers begin anew.
  init(_ path: String) throws(Errno) {
    events = try File(appending: path)
    index = try File(appending: path + ".index")
    requests = try File(appending: path + ".requests")
  }

  /// One line; a disk that does not take it costs the line.
  func note(_ outcome: String, events: Int, octets: Int, at now: WallTime) {
    var line = JSONWriter()
    line.beginObject()
    line.key("at")
    line.string(now.description)
    line.key("outcome")
    line.string(outcome)
    line.key("events")
    line.integer(events)
    line.key("octets")
    line.integer(octets)
    line.endObject()
    state.withLock { _ in try? requests.write(line.bytes + [0x0a]) }
  }

  /// Whole or not at all, as far as the disk allows; returns the partition.
  @discardableResult
  func append(_ texts: [[UInt8]], at now: WallTime) throws(Errno) -> Int {
    let result: Result<Int, Errno> = state.withLock { state in
      let partition = state.nextPartition
      var lines: [UInt8] = []
      var places = JSONWriter()
      var placeLines: [UInt8] = []
      for (offset, text) in texts.enumerated() {
        lines += text
        lines.append(0x0a)
        places.removeAll()
        places.beginObject()
        places.key("partition")
        places.integer(partition)
        places.key("sequence")
        places.integer(state.nextSequence[partition] + offset)
        places.key("enqueued")
        places.string(now.description)
        places.endObject()
        placeLines += places.bytes
        placeLines.append(0x0a)
      }
      do throws(Errno) {
        try events.write(lines)
        try index.write(placeLines)
      } catch {
        return .failure(error)
      }
      state.nextSequence[partition] += texts.count
      state.nextPartition = (partition + 1) % Ledger.partitionCount
      return .success(partition)
    }
    return try result.get()
  }
}
