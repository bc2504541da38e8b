import Glibc

/// An open regular file. Sendable: a worker may sync it while the loop appends.
package final class File: Sendable {
  let descriptor: FileDescriptor
  /// For messages.
  package let path: String

  init(_ descriptor: consuming FileDescriptor, path: String) {
    self.descriptor = descriptor
    self.path = path
  }

  /// Opens an existing file or device for reading. The corresponding C function is `open`.
  package convenience init(reading path: String) throws(Errno) {
    let number = try retrying("open \(path)") { openFile(path, O_RDONLY | O_CLOEXEC) }
    self.init(FileDescriptor(owning: number), path: path)
  }

  /// Opens for appending, made with mode 0600 when it is not there. The corresponding C function is `open`.
  package convenience init(appending path: String) throws(Errno) {
    let number = try retrying("open \(path)") {
      openFile(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
    }
    self.init(FileDescriptor(owning: number), path: path)
  }

  package var number: Int32 { descriptor.number }

  /// All of `bytes` at the file's end or position, however many writes it takes. After an error a part may be there:
  /// see `truncate`.
  /// The corresponding C function is `write`.
  package func write(_ bytes: [UInt8]) throws(Errno) {
    var done = 0
    while done < bytes.count {
      done += try retrying("write \(path)") {
        unsafe bytes.withUnsafeBytes { octets in
          unsafe Glibc.write(descriptor.number, octets.baseAddress.map { unsafe $0 + done }, octets.count - done)
        }
      }
    }
  }

  /// All of `bytes` at `offset`. Not for files opened for appending, where Linux ignores the offset. The corresponding
  /// C function is `pwrite`.
  package func write(_ bytes: [UInt8], at offset: Int64) throws(Errno) {
    var done = 0
    while done < bytes.count {
      done += try retrying("pwrite \(path)") {
        unsafe bytes.withUnsafeBytes { octets in
          unsafe pwrite(
            descriptor.number, octets.baseAddress.map { unsafe $0 + done }, octets.count - done,
            off_t(offset) + off_t(done))
        }
      }
    }
  }

  /// At most `count` octets from `offset`; fewer only at the end. The corresponding C function is `pread`.
  package func read(at offset: Int64, count: Int) throws(Errno) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
      let got = try retrying("pread \(path)") {
        unsafe result.withUnsafeMutableBytes { octets in
          unsafe pread(
            descriptor.number, octets.baseAddress.map { unsafe $0 + done }, count - done, off_t(offset) + off_t(done))
        }
      }
      if got == 0 { break }
      done += got
    }
    result.removeLast(count - done)
    return result
  }

  /// Octets. The corresponding C function is `fstat`.
  package func size() throws(Errno) -> Int64 {
    var status = stat()
    _ = try retrying("fstat \(path)") { unsafe fstat(descriptor.number, &status) }
    return Int64(status.st_size)
  }

  /// The twelve bits that chmod(2) sets. The corresponding C function is `fstat`.
  package func permissions() throws(Errno) -> UInt32 {
    var status = stat()
    _ = try retrying("fstat \(path)") { unsafe fstat(descriptor.number, &status) }
    return status.st_mode & 0o7777
  }

  /// Cuts the file. The corresponding C function is `ftruncate`.
  package func truncate(to size: Int64) throws(Errno) {
    _ = try retrying("ftruncate \(path)") { ftruncate(descriptor.number, off_t(size)) }
  }

  /// Blocks until the data is on the disk. An error means that data written before may be lost, whatever a later sync
  /// says (Linux marks the pages clean): write it anew. The corresponding C function is `fdatasync`.
  package func syncData() throws(Errno) { _ = try retrying("fdatasync \(path)") { fdatasync(descriptor.number) } }

  /// The corresponding C function is `fsync`.
  package func sync() throws(Errno) { _ = try retrying("fsync \(path)") { fsync(descriptor.number) } }

  /// The whole content; EFBIG when it is longer than `limit` octets. Works for /proc, whose files have no size, and for
  /// named pipes.
  package static func readWhole(_ path: String, limit: Int) throws(Errno) -> [UInt8] {
    try File(reading: path).readWhole(limit: limit)
  }

  func readWhole(limit: Int) throws(Errno) -> [UInt8] {
    var result: [UInt8] = []
    // Growing by doubling would touch three times as much.
    if let size = try? size(), size > 0 { result.reserveCapacity(Int(min(size, Int64(limit)))) }
    try forEachPiece(limit: limit) { result.append(contentsOf: $0) }
    return result
  }

  /// The same in pieces, for whoever need not hold it whole.
  package static func forEachPiece(of path: String, limit: Int, _ body: (ArraySlice<UInt8>) -> Void) throws(Errno) {
    try File(reading: path).forEachPiece(limit: limit, body)
  }

  private func forEachPiece(limit: Int, _ body: (ArraySlice<UInt8>) -> Void) throws(Errno) {
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    var total = 0
    while true {
      let got = try retrying("read \(path)") {
        unsafe chunk.withUnsafeMutableBytes { unsafe Glibc.read(descriptor.number, $0.baseAddress, $0.count) }
      }
      if got == 0 { return }
      total += got
      guard total <= limit else { throw Errno(EFBIG, "read \(path): more than \(limit) octets") }
      body(chunk[..<got])
    }
  }
}

/// `open` is variadic in C; Glibc's overlay has these two forms.
func openFile(_ path: String, _ flags: Int32, _ mode: mode_t = 0) -> Int32 { unsafe open(path, flags, mode) }
