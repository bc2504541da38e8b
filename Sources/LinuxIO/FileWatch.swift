import Glibc

/// Says that something in a directory changed (inotify). Directories and not files are watched: a ConfigMap is replaced
/// by swapping a symbolic link beside the file, and editors replace files by renaming. Read again what you care for,
/// and compare.
package final class FileWatch {
  private let descriptor: FileDescriptor
  private var directories: [Int32: String] = [:]

  package init() throws(Errno) {
    descriptor = FileDescriptor(
      owning: try retrying("inotify_init1") { inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK)) })
  }

  /// For `EventPoll.register`.
  package var number: Int32 { descriptor.number }

  /// Watches a directory; again does nothing. ENOENT when it is not there: watch its parent, or try later. The
  /// corresponding C function is `inotify_add_watch`.
  package func watch(directory: String) throws(Errno) {
    let mask =
      IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR
    let watch = try retrying("inotify_add_watch \(directory)") {
      unsafe inotify_add_watch(descriptor.number, directory, UInt32(mask))
    }
    directories[watch] = directory
  }

  /// The directories in which something changed since the last call, sorted, each once; all of them when the kernel
  /// lost events. One that was removed is named too and no longer watched (`isWatching`).
  package func changed() throws(Errno) -> [String] {
    var found: Set<String> = []
    // Room for the longest event (16 octets and a name of 256) sixteen times over.
    var buffer = [UInt8](repeating: 0, count: 4_352)
    while true {
      let got = try retryingUnlessBlocked("read inotify") {
        unsafe buffer.withUnsafeMutableBytes { unsafe read(descriptor.number, $0.baseAddress, $0.count) }
      }
      guard let got, got > 0 else { break }
      collect(buffer[..<got], into: &found)
    }
    return found.sorted()
  }

  package func isWatching(directory: String) -> Bool { directories.values.contains(directory) }

  /// inotify(7): `int wd; uint32_t mask; uint32_t cookie; uint32_t len; char name[len];`, host byte order.
  private func collect(_ bytes: ArraySlice<UInt8>, into found: inout Set<String>) {
    func number(at offset: Int) -> UInt32 {
      (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[offset + $1]) << UInt32($1 * 8) }
    }
    var at = bytes.startIndex
    while at + 16 <= bytes.endIndex {
      let watch = Int32(bitPattern: number(at: at))
      let mask = number(at: at + 4)
      if mask & UInt32(IN_Q_OVERFLOW) != 0 { found.formUnion(directories.values) }
      if let directory = directories[watch] { found.insert(directory) }
      if mask & UInt32(IN_IGNORED) != 0 { directories[watch] = nil }
      at += 16 + Int(number(at: at + 12))
    }
  }
}
