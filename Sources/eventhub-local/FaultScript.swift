import LinuxIO
import Synchronization
import Timekeeping

/// What to do to one request instead of, or beside, answering it.
enum Fault: Hashable, Sendable {
  /// Answer with this status and store nothing.
  case status(Int)
  /// Store, and answer with this status.
  case statusAfterStore(Int)
  /// Reset the connection and store nothing.
  case reset
  /// Store, and reset before the answer.
  case resetAfterStore
  /// Store, answer by half, and close.
  case truncate
  /// Store, and answer with octets that are not HTTP.
  case garbage
  /// Store, and send a second answer behind the first, which nobody asked for.
  case extra
  /// Store, and answer with 100 and then with 201.
  case interim
  /// Store, and answer 201 with an empty body in chunks.
  case chunked
  /// Store, and answer octet by octet, each after so long.
  case drip(TimeSpan)
  /// Store nothing, and never answer.
  case hang
  /// Store, and never answer.
  case hangAfterStore
  /// Wait, then go on as if nothing were.
  case slow(TimeSpan)
  /// Store nothing, and answer 503 asking for that many seconds of patience.
  case retryAfter(Int)
}

/// Faults in the order in which requests meet them. Written as a comma-separated list, each with a count:
///
///     503:3,401:1,reset-after-store:2,slow:200ms:5,retry-after:2s:1,drip:5ms:1
///
/// A control file holds such a list too; it is read at every request, and when its text changed, it replaces what is
/// left.
final class FaultScript: Sendable {
  private struct State: Sendable {
    var left: [(fault: Fault, count: Int)]
    var controlText: [UInt8] = []
  }

  private let state: Mutex<State>
  private let controlFile: String?
  /// A control file is a line; 64 KiB is a thousand of them.
  private static let controlFileOctetsMax = 64 << 10

  init(_ list: String, controlFile: String?) throws(UsageError) {
    state = Mutex(State(left: try FaultScript.parse(list)))
    self.controlFile = controlFile
  }

  func next() -> Fault? {
    let text = controlFile.flatMap { try? File.readWhole($0, limit: FaultScript.controlFileOctetsMax) }
    return state.withLock { state in
      if let text, text != state.controlText, let list = try? FaultScript.parse(String(decoding: text, as: UTF8.self)) {
        state.controlText = text
        state.left = list
      }
      guard let first = state.left.first else { return nil }
      if first.count > 1 { state.left[0].count -= 1 } else { state.left.removeFirst() }
      return first.fault
    }
  }

  private static func parse(_ list: String) throws(UsageError) -> [(fault: Fault, count: Int)] {
    var faults: [(fault: Fault, count: Int)] = []
    for entry in list.split(whereSeparator: { $0 == "," || $0.isWhitespace }) {
      let parts = entry.split(separator: ":", omittingEmptySubsequences: false)
      guard let last = parts.last, let count = Int(last), count > 0 else {
        throw UsageError("fault \(entry): the last part is how often")
      }
      guard let fault = fault(parts.dropLast().map(String.init)) else {
        throw UsageError("fault \(entry) is not known")
      }
      faults.append((fault, count))
    }
    return faults
  }

  private static func fault(_ parts: [String]) -> Fault? {
    switch (parts.first ?? "", parts.count) {
    case ("reset", 1): return .reset
    case ("reset-after-store", 1): return .resetAfterStore
    case ("truncate", 1): return .truncate
    case ("garbage", 1): return .garbage
    case ("extra", 1): return .extra
    case ("interim", 1): return .interim
    case ("chunked", 1): return .chunked
    case ("drip", 2): return timeSpan(parts[1]).map { .drip($0) }
    case ("hang", 1): return .hang
    case ("hang-after-store", 1): return .hangAfterStore
    case ("slow", 2): return timeSpan(parts[1]).map { .slow($0) }
    case ("retry-after", 2): return timeSpan(parts[1]).map { .retryAfter(Int($0.seconds)) }
    case (let status, 1): return Int(status).flatMap { (100...599).contains($0) ? .status($0) : nil }
    case (let status, 2) where parts[1] == "after-store":
      return Int(status).flatMap { (100...599).contains($0) ? .statusAfterStore($0) : nil }
    default: return nil
    }
  }

  private static func timeSpan(_ text: String) -> TimeSpan? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let number = Int64(digits), number <= 3_600_000 else { return nil }
    switch text.dropFirst(digits.count) {
    case "ms": return .milliseconds(number)
    case "s": return .seconds(number)
    default: return nil
    }
  }
}
