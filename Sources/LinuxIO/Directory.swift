import Glibc

/// An open directory: names are resolved in it, wherever it is moved to. Sendable: a worker may sync it.
package final class Directory: Sendable {
  private let descriptor: FileDescriptor
  package let path: String

  /// Opens it. `create`: makes it with mode 0700 when it is not there (its parent must be). The corresponding C
  /// functions are `mkdir`, `open`.
  package init(_ path: String, create: Bool = false) throws(Errno) {
    if create {
      do throws(Errno) {
        _ = try retrying("mkdir \(path)") { unsafe mkdir(path, 0o700) }
      } catch {
        guard error == .exists else { throw error }
      }
    }
    descriptor = FileDescriptor(
      owning: try retrying("open \(path)") { openFile(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) })
    self.path = path
  }

  /// Opens a directory in another; a symbolic link is refused with ELOOP or ENOTDIR. The corresponding C function is
  /// `openat`.
  package init(_ name: String, in parent: Directory) throws(Errno) {
    let full = "\(parent.path)/\(name)"
    descriptor = FileDescriptor(
      owning: try retrying("open \(full)") {
        unsafe openat(parent.descriptor.number, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW, 0)
      })
    path = full
  }

  package enum Access: Sendable {
    /// Reading only.
    case read
    /// Writing at the end; made with mode 0600 when it is not there.
    case append
    /// Reading and writing anywhere what is there; ENOENT when it is not.
    case modify
    /// Reading and writing anywhere; made with mode 0600 when it is not there.
    case update
    /// Made empty with mode 0600; EEXIST when it is there.
    case create

    var flags: Int32 {
      switch self {
      case .read: O_RDONLY
      case .append: O_WRONLY | O_APPEND | O_CREAT
      case .modify: O_RDWR
      case .update: O_RDWR | O_CREAT
      case .create: O_RDWR | O_CREAT | O_EXCL
      }
    }
  }

  /// A symbolic link as last component is refused with ELOOP: nobody else may direct our writes. The corresponding C
  /// function is `openat`.
  package func open(_ name: String, _ access: Access) throws(Errno) -> File {
    let number = try retrying("open \(path)/\(name)") {
      unsafe openat(descriptor.number, name, access.flags | O_CLOEXEC | O_NOFOLLOW, 0o600)
    }
    return File(FileDescriptor(owning: number), path: "\(path)/\(name)")
  }

  /// The names in it, sorted by octets, without `.` and `..`. The corresponding C function is `readdir`.
  package func list() throws(Errno) -> [String] {
    // A descriptor of its own: the stream takes it over, and its position must not be shared.
    let number = try retrying("open \(path)") {
      unsafe openat(descriptor.number, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
    }
    guard let stream = unsafe fdopendir(number) else {
      let code = errno
      _ = close(number)
      throw Errno(code, "fdopendir \(path)")
    }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while true {
      errno = 0
      guard let entry = unsafe readdir(stream) else { break }
      // `d_name` ends with a zero octet within the entry (readdir(3)).
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    guard errno == 0 else { throw Errno(errno, "readdir \(path)") }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// The whole content of a file in it; EFBIG when longer than `limit` octets. Nil when there is none.
  package func readWhole(_ name: String, limit: Int) throws(Errno) -> [UInt8]? {
    do throws(Errno) {
      return try open(name, .read).readWhole(limit: limit)
    } catch {
      if error == .noEntry { return nil }
      throw error
    }
  }

  /// Puts `bytes` in place of `name`, so that after a crash there is the old content or the new: written beside,
  /// synced, renamed, the directory synced. Blocks.
  package func replace(_ name: String, with bytes: [UInt8]) throws(Errno) {
    let temporary = ".\(name).new"
    do throws(Errno) {
      try remove(temporary)
    } catch {
      guard error == .noEntry else { throw error }
    }
    let file = try open(temporary, .create)
    do throws(Errno) {
      try file.write(bytes)
      try file.sync()
      try rename(temporary, to: name)
    } catch {
      try? remove(temporary)
      throw error
    }
    try sync()
  }

  /// Within the directory, over what is there. Durable after `sync`. The corresponding C function is `renameat`.
  package func rename(_ old: String, to new: String) throws(Errno) {
    _ = try retrying("rename \(path)/\(old) to \(new)") {
      unsafe renameat(descriptor.number, old, descriptor.number, new)
    }
  }

  /// The corresponding C function is `unlinkat`.
  package func remove(_ name: String) throws(Errno) {
    _ = try retrying("unlink \(path)/\(name)") { unsafe unlinkat(descriptor.number, name, 0) }
  }

  /// Blocks until made, renamed and removed names are on the disk. The corresponding C function is `fsync`.
  package func sync() throws(Errno) { _ = try retrying("fsync \(path)") { fsync(descriptor.number) } }

  /// What an unprivileged writer may still use of the file system, in octets. The corresponding C function is
  /// `fstatvfs`.
  package func freeOctets() throws(Errno) -> Int64 {
    var status = statvfs()
    _ = try retrying("fstatvfs \(path)") { unsafe fstatvfs(descriptor.number, &status) }
    let (octets, overflow) = Int64(clamping: status.f_bavail)
      .multipliedReportingOverflow(by: Int64(clamping: status.f_frsize))
    return overflow ? Int64.max : octets
  }

  /// Claims the directory for this process, as long as this object lives. False: another process has it. File systems
  /// that know no locks let everybody in. The corresponding C function is `flock`.
  package func claim() -> Bool { flock(descriptor.number, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK }

  /// Whose it is. The corresponding C function is `fstat`.
  package func owner() throws(Errno) -> UInt32 {
    var status = stat()
    _ = try retrying("fstat \(path)") { unsafe fstat(descriptor.number, &status) }
    return status.st_uid
  }

  /// Gives the directory (nil) or a file in it to another user. The corresponding C functions are `fchown`, `fchownat`.
  package func changeOwner(of name: String? = nil, user: UInt32, group: UInt32) throws(Errno) {
    _ = try retrying("chown \(path)/\(name ?? "")") {
      if let name { return unsafe fchownat(descriptor.number, name, user, group, AT_SYMLINK_NOFOLLOW) }
      return fchown(descriptor.number, user, group)
    }
  }

  /// Sets the directory's own mode. The corresponding C function is `fchmod`.
  package func changeMode(_ mode: UInt32) throws(Errno) {
    _ = try retrying("chmod \(path)") { fchmod(descriptor.number, mode) }
  }
}
