import Sidecar
import Spool
import Timekeeping

/// The state directory: what processes see, and what would survive the death of the machine.
struct SimulatedDisk {
  struct File {
    var content: [UInt8]
    /// Nil: the name itself is not on the disk yet.
    var durable: [UInt8]?
  }

  /// What the worker has to do, in order.
  enum Task {
    case write(SpoolWrite)
    case sync(SpoolSync)
    case cursor(SpoolCursorWrite)
    case delete(String)
    case truncate(String, Int)
    case setAside(String)
    case keep(UInt64, String, [UInt8], NaivePolicy?)
  }

  private(set) var files: [String: File] = [:]
  private(set) var quarantined: [String] = []
  private(set) var tasks: [Task] = []
  /// The policy that `policy.json` holds, as the model knows it.
  private(set) var keptPolicy: NaivePolicy?
  private(set) var keptBytes: [UInt8]?
  /// What the sync under way began with.
  private var syncing: [String: [UInt8]] = [:]
  /// When the oldest task began.
  private(set) var beganAt = Instant(nanoseconds: 0)
  var sabotage: Sabotage?

  var listing: [SpoolFile] {
    files.keys.sorted().compactMap { name in
      name == "policy.json" ? nil : files[name].map { SpoolFile(name: name, size: $0.content.count) }
    }
  }

  func contents(_ name: String) -> [UInt8]? { files[name]?.content }

  mutating func submit(_ task: Task, at now: Instant) {
    tasks.append(task)
    if tasks.count == 1 { begin(at: now) }
  }

  private mutating func begin(at now: Instant) {
    beganAt = now
    syncing = [:]
    if case .sync(let sync)? = tasks.first {
      for name in sync.names { syncing[name] = files[name]?.content }
    }
  }

  /// Does the oldest task, and says what became of it. `failure`: the disk refuses; some of a write's octets may be in the file.
  mutating func finish(
    failure: String?, partial: Int, at now: Instant
  ) -> (task: Task, outcome: StorageOutcome)? {
    guard !tasks.isEmpty else { return nil }
    let task = tasks.removeFirst()
    let outcome = perform(task, failure: failure, partial: partial)
    if !tasks.isEmpty { begin(at: now) }
    return (task, outcome)
  }

  /// How many octets of a write that failed are in the file.
  static func part(of write: SpoolWrite, _ partial: Int) -> Int { partial % (write.bytes.count + 1) }

  /// A write of the caller's own thread.
  mutating func write(_ write: SpoolWrite, failure: String?, partial: Int) -> StorageOutcome {
    perform(.write(write), failure: failure, partial: partial)
  }

  private mutating func perform(_ task: Task, failure: String?, partial: Int) -> StorageOutcome {
    switch task {
    case .write(let write):
      if write.creates, files[write.name] != nil { return .failed(reason: "EEXIST: \(write.name)") }
      let bytes = failure == nil ? write.bytes : Array(write.bytes.prefix(Self.part(of: write, partial)))
      put(bytes, in: write.name, at: write.offset)
    case .sync(let sync):
      guard failure == nil else { break }
      for name in sync.names {
        guard let content = syncing[name], files[name] != nil else { return .failed(reason: "ENOENT: \(name)") }
        // Without the directory's sync a new name may be lost.
        if sync.directory || files[name]?.durable != nil { files[name]?.durable = content }
      }
    case .cursor(let write):
      guard failure == nil else { break }
      put(write.bytes, in: write.name, at: write.offset)
      files[write.name] = files[write.name].map { File(content: $0.content, durable: $0.content) }
    case .delete(let name): files[name] = nil
    case .truncate(let name, let length):
      guard var file = files[name] else { break }
      file.content = Array(file.content.prefix(length))
      if file.durable != nil { file.durable = file.content }
      files[name] = file
    case .setAside(let name):
      files[name] = nil
      quarantined.append(name)
    case .keep(_, let name, let bytes, let policy):
      guard failure == nil else { break }
      files[name] = File(content: bytes, durable: bytes)
      keptPolicy = policy
      keptBytes = bytes
    }
    return failure.map { .failed(reason: $0) } ?? .ok
  }

  private mutating func put(_ bytes: [UInt8], in name: String, at offset: Int) {
    var file = files[name] ?? File(content: [])
    if file.content.count < offset { file.content += [UInt8](repeating: 0, count: offset - file.content.count) }
    let end = min(offset + bytes.count, file.content.count)
    file.content.replaceSubrange(offset..<end, with: bytes)
    files[name] = file
  }

  /// The process dies: what the kernel was given is kept, what was under way is perhaps there in part.
  /// Returns the first part of a write that reached its file.
  @discardableResult
  mutating func daemonDies(using generator: inout SeededGenerator) -> SpoolWrite? {
    var torn: SpoolWrite?
    if let task = tasks.first {
      switch task {
      case .write(let write):
        if !(write.creates && files[write.name] != nil) {
          var part = write
          part.bytes = Array(write.bytes.prefix(generator.number(0...write.bytes.count)))
          put(part.bytes, in: write.name, at: write.offset)
          torn = part
        }
      case .cursor(let write):
        put(Array(write.bytes.prefix(generator.number(0...write.bytes.count))), in: write.name, at: write.offset)
      case .keep, .delete, .truncate, .setAside:
        if generator.chance(500) { _ = perform(task, failure: nil, partial: 0) }
      case .sync: break
      }
    }
    tasks = []
    if sabotage == .segmentForgotten, let name = files.keys.sorted().last(where: { $0.hasPrefix("segment") }) {
      files[name] = nil
    }
    return torn
  }

  /// The machine dies: what was not synced is there, or not, or the first part of it.
  mutating func machineDies(using generator: inout SeededGenerator) {
    daemonDies(using: &generator)
    for name in files.keys.sorted() {
      guard let file = files[name], file.content != file.durable ?? [] || file.durable == nil else { continue }
      guard let durable = file.durable else {
        if generator.chance(600) {
          files[name] = nil
        } else {
          let content = Array(file.content.prefix(generator.number(0...file.content.count)))
          files[name] = File(content: content, durable: content)
        }
        continue
      }
      var content = durable
      if file.content.count > durable.count, file.content.starts(with: durable) {
        content += file.content[durable.count..<generator.number(durable.count...file.content.count)]
      } else if generator.chance(500) {
        content = file.content
      }
      files[name] = File(content: content, durable: content)
    }
  }
}
