import CLinux
import Glibc

/// Files that are read from where they stand, or have no name.
extension File {
  /// Standard input, whatever it is; the number 0 stays open. The corresponding C function is `fcntl` (F_DUPFD_CLOEXEC).
  package static func standardInput() throws(Errno) -> File {
    let number = try retrying("standard input") { fcntl(0, F_DUPFD_CLOEXEC, 3) }
    return File(FileDescriptor(owning: number), path: "standard input")
  }

  /// A file for reading and writing that nobody else can open, in `TMPDIR` or /tmp; it goes with its last owner. The corresponding C function is `open` (O_TMPFILE).
  package static func temporary() throws(Errno) -> File {
    let folder = ProcessEnvironment.all()["TMPDIR"] ?? "/tmp"
    let number = try retrying("a temporary file in \(folder)") {
      unsafe clinux_temporary_file(folder)
    }
    return File(FileDescriptor(owning: number), path: folder)
  }

  /// At most `count` octets from where the file stands; none at the end. The corresponding C function is `read`.
  package func readOn(count: Int) throws(Errno) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: count)
    let got = try retrying("read \(path)") {
      unsafe result.withUnsafeMutableBytes { unsafe Glibc.read(descriptor.number, $0.baseAddress, $0.count) }
    }
    result.removeLast(count - got)
    return result
  }

  /// Whether any part of it can be read again. The corresponding C function is `fstat`.
  package func isRegular() throws(Errno) -> Bool {
    var status = stat()
    _ = try retrying("fstat \(path)") { unsafe fstat(descriptor.number, &status) }
    return status.st_mode & S_IFMT == S_IFREG
  }
}
