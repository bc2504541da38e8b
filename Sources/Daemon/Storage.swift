import LinuxIO
import Sidecar
import Spool
import Timekeeping

/// The spool's files and the state directory. Writes go into the page cache at once; whatever waits for the disk is the worker's.
final class Storage {
  enum Job: Sendable {
    case sync(SpoolSync, [File])
    case writeCursor(SpoolCursorWrite)
    case delete(String)
    case truncate(String, Int)
    case quarantine(String, [UInt8])
    case setAside(String)
    case keep(UInt64, String, [UInt8])
  }

  enum Output: Sendable {
    case event(SidecarEvent)
    case failure(String)
    case nothing
  }

  /// Segments whose descriptor stays open: the one being written, the one being read, and one for the change between two.
  private static let openMax = 4

  private let directory: Directory
  private let quarantine: Directory
  private let state: Directory
  private var open: [(name: String, file: File)] = []
  let worker: WorkerThread<Job, Output>

  /// `state`: the state directory, which must be ours; the spool lives in `spool` below it.
  init(_ state: Directory) throws(Errno) {
    self.state = state
    let directory = try Directory(state.path + "/spool", create: true)
    let quarantine = try Directory(directory.path + "/quarantine", create: true)
    self.directory = directory
    self.quarantine = quarantine
    worker = try WorkerThread(name: "storage") { job in Self.perform(job, directory, quarantine, state) }
  }

  var listing: [SpoolFile] {
    get throws(Errno) {
      var files: [SpoolFile] = []
      for name in try directory.list() where name != "quarantine" {
        let file = try directory.open(name, .read)
        files.append(SpoolFile(name: name, size: Int(try file.size())))
      }
      return files
    }
  }

  /// What can be done at once gives its outcome at once.
  func perform(_ effect: SpoolEffect) -> SidecarEvent? {
    switch effect {
    case .readCursor(let name): return .cursorRead(contents(name, limit: 1 << 16))
    case .readSegment(let name, let limit): return .segmentRead(name, contents(name, limit: limit))
    case .write(let write): return .spoolWritten(write.ticket, outcome { () throws(Errno) in try store(write) })
    case .sync(let sync):
      var files: [File] = []
      for name in sync.names {
        // What cannot be opened cannot be synced: saying nothing would let records count as durable that are not.
        do throws(Errno) {
          files.append(try file(name))
        } catch {
          return .spoolSynced(sync.ticket, .failed(reason: error.description))
        }
      }
      worker.submit(.sync(sync, files))
    case .writeCursor(let write): worker.submit(.writeCursor(write))
    case .deleteSegment(let name):
      open.removeAll { $0.name == name }
      worker.submit(.delete(name))
    case .truncate(let name, let length): worker.submit(.truncate(name, length))
    case .quarantine(let name, let bytes): worker.submit(.quarantine(name, bytes))
    case .setAside(let name): worker.submit(.setAside(name))
    case .recovered, .stored, .durable, .stalled, .damaged: break
    }
    return nil
  }

  func read(_ read: SpoolRead) -> [UInt8]? {
    try? file(read.name).read(at: Int64(read.offset), count: read.length)
  }

  func keep(_ id: UInt64, _ name: String, _ bytes: [UInt8]) { worker.submit(.keep(id, name, bytes)) }

  func remember(_ memory: RulesetMemory) throws(Errno) { try memory.keep(in: state) }

  /// At the end of the process: waits until everything submitted is done, at most so long.
  ///
  /// - Returns: why something may not be on the disk; nil when all is.
  func finish(within patience: TimeSpan) -> String? {
    guard worker.finish(within: patience) else { return "the disk did not answer in time" }
    for output in worker.takeOutputs() {
      switch output {
      case .event(.spoolSynced(_, .failed(let reason))), .event(.cursorWritten(_, .failed(let reason))),
        .event(.kept(_, .failed(let reason))), .failure(let reason):
        return reason
      case .event, .nothing: continue
      }
    }
    return nil
  }

  private func contents(_ name: String, limit: Int) -> [UInt8]? {
    (try? directory.readWhole(name, limit: limit)) ?? nil
  }

  private func store(_ write: SpoolWrite) throws(Errno) {
    if write.creates {
      let file = try directory.open(write.name, .create)
      remember(write.name, file)
      try file.write(write.bytes, at: Int64(write.offset))
    } else {
      try file(write.name).write(write.bytes, at: Int64(write.offset))
    }
  }

  private func file(_ name: String) throws(Errno) -> File {
    if let found = open.first(where: { $0.name == name }) { return found.file }
    let file = try directory.open(name, .modify)
    remember(name, file)
    return file
  }

  private func remember(_ name: String, _ file: File) {
    if open.count == Self.openMax { open.removeFirst() }
    open.append((name, file))
  }

  private static func perform(_ job: Job, _ directory: Directory, _ quarantine: Directory, _ state: Directory) -> Output
  {
    switch job {
    case .sync(let sync, let files):
      let result = outcome { () throws(Errno) in
        for file in files { try file.syncData() }
        if sync.directory { try directory.sync() }
      }
      return .event(.spoolSynced(sync.ticket, result))
    case .writeCursor(let write):
      let result = outcome { () throws(Errno) in
        let file = try directory.open(write.name, .update)
        try file.write(write.bytes, at: Int64(write.offset))
        try file.syncData()
        try directory.sync()
      }
      return .event(.cursorWritten(write.generation, result))
    case .delete(let name): return attempt { () throws(Errno) in try directory.remove(name) }
    case .truncate(let name, let length):
      return attempt { () throws(Errno) in try directory.open(name, .modify).truncate(to: Int64(length)) }
    case .quarantine(let name, let bytes):
      return attempt { () throws(Errno) in try quarantine.replace(name, with: bytes) }
    case .setAside(let name):
      return attempt { () throws(Errno) in
        let bytes = try directory.readWhole(name, limit: SpoolLimits.readableSegmentMax) ?? []
        try quarantine.replace(name, with: bytes)
        try directory.remove(name)
      }
    case .keep(let id, let name, let bytes):
      return .event(.kept(id, outcome { () throws(Errno) in try state.replace(name, with: bytes) }))
    }
  }

  private static func attempt(_ body: () throws(Errno) -> Void) -> Output {
    switch outcome(body) {
    case .ok: .nothing
    case .failed(let reason): .failure(reason)
    }
  }
}

private func outcome(_ body: () throws(Errno) -> Void) -> StorageOutcome {
  do throws(Errno) {
    try body()
    return .ok
  } catch {
    return .failed(reason: error.description)
  }
}
