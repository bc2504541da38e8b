@testable import Spool

/// A naive disk in memory: what was synced survives the machine, the rest as far as a generator lets it.
struct Disk {
  struct File {
    var bytes: [UInt8] = []
    var durable: [UInt8] = []
    /// The directory entry is on the disk.
    var isEntryDurable = false
    /// A sync of it has failed: later ones lie.
    var isSyncBroken = false
  }

  var files: [String: File] = [:]
  /// Unlinked, while the directory on the disk still has them.
  var ghosts: [String: File] = [:]
  var quarantine: [String: [UInt8]] = [:]

  var listing: [SpoolFile] { files.keys.sorted().map { SpoolFile(name: $0, size: files[$0]?.bytes.count ?? 0) } }

  mutating func write(_ name: String, _ offset: Int, _ bytes: ArraySlice<UInt8>) {
    var file = files[name] ?? File()
    if file.bytes.count < offset + bytes.count {
      file.bytes += [UInt8](repeating: 0, count: offset + bytes.count - file.bytes.count)
    }
    file.bytes.replaceSubrange(offset..<offset + bytes.count, with: bytes)
    files[name] = file
  }

  mutating func sync(_ name: String) {
    guard var file = files[name], !file.isSyncBroken else { return }
    file.durable = file.bytes
    files[name] = file
  }

  mutating func syncDirectory() {
    for name in files.keys { files[name]?.isEntryDurable = true }
    ghosts = [:]
  }

  mutating func delete(_ name: String) {
    guard let file = files.removeValue(forKey: name) else { return }
    if file.isEntryDurable { ghosts[name] = file }
  }

  mutating func truncate(_ name: String, _ length: Int) {
    guard var file = files[name], file.bytes.count > length else { return }
    file.bytes.removeLast(file.bytes.count - length)
    files[name] = file
    sync(name)
  }

  /// The machine dies.
  mutating func crash(using generator: inout some RandomNumberGenerator) {
    for name in ghosts.keys.sorted() where Bool.random(using: &generator) && files[name] == nil {
      files[name] = ghosts[name]
    }
    ghosts = [:]
    for name in files.keys.sorted() {
      guard var file = files[name] else { continue }
      if !file.isEntryDurable, Bool.random(using: &generator) {
        files[name] = nil
        continue
      }
      // Of what was not synced a piece may be there, and a torn one may be zeros or garbage.
      var survived = file.durable
      if file.bytes.count > survived.count {
        let more = Int.random(in: 0...(file.bytes.count - survived.count), using: &generator)
        survived += file.bytes[survived.count..<survived.count + more]
        if more > 3, Int.random(in: 0..<3, using: &generator) == 0 {
          for index in survived.count - 3..<survived.count {
            survived[index] = Bool.random(using: &generator) ? 0 : UInt8.random(in: .min ... .max, using: &generator)
          }
        }
      }
      file.bytes = survived
      file.durable = survived
      file.isEntryDurable = true
      file.isSyncBroken = false
      files[name] = file
    }
  }
}

/// SplitMix64: a seed makes the run.
struct Seeded: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
    return value ^ value >> 31
  }
}
