import Timekeeping

/// What happened, as one number and as the last lines.
struct Trace {
  private(set) var hash: UInt64 = 0xcbf2_9ce4_8422_2325
  private var lines: [String] = []
  private var next = 0
  private let linesMax: Int

  init(linesMax: Int = 50) { self.linesMax = linesMax }

  mutating func note(_ line: String, at now: Instant) {
    hash = fingerprint(Array(line.utf8), hash ^ UInt64(bitPattern: now.nanoseconds))
    let text = "\(now.nanoseconds / 1_000) µs  \(line)"
    if lines.count < linesMax { lines.append(text) } else { lines[next] = text }
    next = (next + 1) % linesMax
  }

  /// The last ones, oldest first.
  var lastLines: [String] { lines.count < linesMax ? lines : Array(lines[next...] + lines[..<next]) }
}
