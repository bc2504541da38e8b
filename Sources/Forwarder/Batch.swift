import Spool

/// Records under way together, and the pieces they were split into. A piece's bytes are cut from the first body, never
/// made again.
struct Batch: Sendable {
  let records: [StoredRecord]
  let lane: SpoolLane
  /// The whole body.
  private let body: [UInt8]
  /// Where each record's element stands in it.
  private let elements: [Range<Int>]
  private let isJSON: Bool
  /// What is left to send, the next piece last.
  private var pieces: [Piece]

  struct Piece: Sendable {
    var range: Range<Int>
    var body: [UInt8]
    /// Rises with each attempt; 1 for the first one.
    var attempt = 0
    /// The whole of which it is the right half holds a bad record: if the left half has none, this one has.
    var isSuspect = false
    /// It was refused standing alone, and kept since the hub is suspected.
    var isHeld = false
  }

  init(records: [StoredRecord], lane: SpoolLane, body: [UInt8], elements: [Range<Int>], isJSON: Bool) {
    self.records = records
    self.lane = lane
    self.body = body
    self.elements = elements
    self.isJSON = isJSON
    pieces = [Piece(range: records.indices, body: body)]
  }

  /// The piece to send now, its attempt counted; nil when all is done.
  mutating func nextPiece() -> Piece? {
    // A suspect half that follows an accepted one needs no trial as a whole.
    while let last = pieces.last, last.isSuspect, last.range.count > 1 { split(isContent: true) }
    guard !pieces.isEmpty else { return nil }
    pieces[pieces.count - 1].attempt += 1
    return pieces.last
  }

  /// The piece that was sent last.
  var current: Piece? { pieces.last }

  /// Records that are neither accepted nor given up.
  var remainingCount: Int { pieces.reduce(0) { $0 + $1.range.count } }

  /// The piece was accepted, or given up: what remains follows.
  mutating func finish() { pieces.removeLast() }

  mutating func hold() { pieces[pieces.count - 1].isHeld = true }

  /// The piece was refused; each half stands for itself from now on.
  /// - Parameter isContent: it was refused for what it holds, not for its size; so one of the halves is refused too.
  mutating func split(isContent: Bool) {
    guard let piece = pieces.popLast() else { return }
    // What was suspected to the right of it is explained by it.
    for index in pieces.indices { pieces[index].isSuspect = false }
    let middle = piece.range.lowerBound + piece.range.count / 2
    let right = middle..<piece.range.upperBound
    let left = piece.range.lowerBound..<middle
    pieces.append(Piece(range: right, body: compose(right), isSuspect: isContent))
    pieces.append(Piece(range: left, body: compose(left)))
  }

  private func compose(_ range: Range<Int>) -> [UInt8] {
    guard let first = range.first, let last = range.last else { return [] }
    let inner = body[elements[first].lowerBound..<elements[last].upperBound]
    return isJSON ? [0x5b] + inner + [0x5d] : Array(inner)
  }
}
