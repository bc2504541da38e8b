import LinuxIO

/// The lines of a file, or of a stream that is read once.
struct LineSource {
  /// A longer line is no record, which has 32 KiB at most.
  static let lineOctetsMax = 1 << 20
  /// What is read at once: 256 KiB.
  private static let chunkOctets = 256 << 10

  struct Line {
    /// Without its newline; nil when it is too long.
    var bytes: [UInt8]?
    var offset: Int64
  }

  private let file: File
  /// Where lines of a stream are kept that are wanted again.
  private var kept: (file: File, size: Int64)?
  private let isStream: Bool
  private var chunk: [UInt8] = []
  private var position = 0
  /// The offset of the chunk's first octet.
  private var chunkOffset: Int64 = 0
  private var isAtEnd = false

  init(_ path: String) throws(Errno) {
    file = path == "-" ? try File.standardInput() : try File(reading: path)
    isStream = try !file.isRegular()
  }

  mutating func next() throws(Errno) -> Line? {
    var line: [UInt8] = []
    var isTooLong = false
    let start = chunkOffset + Int64(position)
    while true {
      if let end = chunk[position...].firstIndex(of: 0x0a) {
        isTooLong = isTooLong || line.count + (end - position) > Self.lineOctetsMax
        if !isTooLong { line.append(contentsOf: chunk[position..<end]) }
        position = end + 1
        return Line(bytes: isTooLong ? nil : line, offset: start)
      }
      isTooLong = isTooLong || line.count + (chunk.count - position) > Self.lineOctetsMax
      if isTooLong { line = [] } else { line.append(contentsOf: chunk[position...]) }
      chunkOffset += Int64(chunk.count)
      position = 0
      chunk = try isAtEnd ? [] : file.readOn(count: Self.chunkOctets)
      guard chunk.isEmpty else { continue }
      isAtEnd = true
      return isTooLong ? Line(bytes: nil, offset: start) : line.isEmpty ? nil : Line(bytes: line, offset: start)
    }
  }

  /// Where the line can be read again.
  mutating func keep(_ line: Line, _ bytes: [UInt8]) throws(Errno) -> (file: File, offset: Int64) {
    guard isStream else { return (file, line.offset) }
    let (file, size) = if let kept { kept } else { (try File.temporary(), Int64(0)) }
    try file.write(bytes, at: size)
    kept = (file, size + Int64(bytes.count))
    return (file, size)
  }
}
