import LinuxIO
import Timekeeping

/// Files that change while the daemon runs: keys, tokens. Each change is told once, as the new contents.
///
/// The kernel tells of a change in the file's directory, which is where a ConfigMap or a downward-API volume swaps its link; a directory that is not there yet, or
/// on a file system that tells nothing, is looked at again now and then.
final class WatchedFiles {
  struct Watched: Sendable {
    var path: String
    /// The longest contents that are taken, in octets.
    var octetsMax: Int
  }

  /// How often everything is read again although nothing was told: 10 s, for file systems without inotify, such as a network's.
  private static let rereadInterval = TimeSpan.seconds(10)

  private let files: [Watched]
  private let watch: FileWatch
  private let log: Log
  /// What was told last; nil: the file is not there, or nothing was told yet.
  private var contents: [[UInt8]?]
  private var wasTold: [Bool]
  private var lastFailure: [String]
  private var nextReread: Instant

  init(_ files: [Watched], _ log: Log, at now: Instant) throws(Errno) {
    self.files = files
    self.log = log
    watch = try FileWatch()
    contents = files.map { _ in nil }
    wasTold = files.map { _ in false }
    lastFailure = files.map { _ in "" }
    nextReread = now
  }

  /// For `EventPoll.register`.
  var number: Int32 { watch.number }

  /// Something may have changed: tells the index and the contents of each file that did. Nil: it is not there.
  func read(_ body: (Int, [UInt8]?) -> Void) {
    _ = try? watch.changed()
    for index in files.indices { read(index, body) }
  }

  /// Each second.
  func sweep(at now: Instant, _ body: (Int, [UInt8]?) -> Void) {
    guard nextReread <= now || files.contains(where: { !watch.isWatching(directory: directory(of: $0.path)) }) else {
      return
    }
    nextReread = now + Self.rereadInterval
    read(body)
  }

  private func read(_ index: Int, _ body: (Int, [UInt8]?) -> Void) {
    let file = files[index]
    // Watched before it is read: what changes in between is told again.
    try? watch.watch(directory: directory(of: file.path))
    var found: [UInt8]?
    do throws(Errno) {
      found = try File.readWhole(file.path, limit: file.octetsMax)
      lastFailure[index] = ""
    } catch {
      // What cannot be read says nothing about what is in it: only a file that is gone is told of.
      guard error == .noEntry else {
        if lastFailure[index] != error.description {
          log.error("a file cannot be read", [("reason", error.description)])
        }
        lastFailure[index] = error.description
        return
      }
    }
    guard !wasTold[index] || found != contents[index] else { return }
    wasTold[index] = true
    contents[index] = found
    body(index, found)
  }
}

private func directory(of path: String) -> String {
  guard let slash = path.lastIndex(of: "/") else { return "." }
  return slash == path.startIndex ? "/" : String(path[..<slash])
}
