import Glibc

/// A system call that failed.
package struct Errno: Error, Hashable, Sendable, CustomStringConvertible {
  /// errno(3).
  package let code: Int32
  /// What was attempted, with its object where there is one: `open /var/lib/sallyport`.
  package let attempt: String

  package init(_ code: Int32, _ attempt: String = "") {
    self.code = code
    self.attempt = attempt
  }

  /// The symbol, where the daemon reacts to it or operators search for it; else `errno N`.
  package var name: String { symbols[code] ?? "errno \(code)" }

  /// strerror(3): `No space left on device`.
  package var text: String {
    var buffer = [CChar](repeating: 0, count: 128)
    // The XSI form: it writes into the buffer it is given.
    let status = unsafe strerror_r(code, &buffer, buffer.count)
    guard status == 0 else { return name }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  package var description: String { attempt.isEmpty ? "\(text) (\(name))" : "\(attempt): \(text) (\(name))" }

  /// Errors are equal when their codes are: the attempt is for people.
  package static func == (left: Self, right: Self) -> Bool { left.code == right.code }
  package func hash(into hasher: inout Hasher) { hasher.combine(code) }

  package static let noSpace = Self(ENOSPC)
  package static let quotaExceeded = Self(EDQUOT)
  package static let fileTooLarge = Self(EFBIG)
  package static let inputOutput = Self(EIO)
  package static let noEntry = Self(ENOENT)
  package static let exists = Self(EEXIST)
  package static let notPermitted = Self(EPERM)
  package static let accessDenied = Self(EACCES)
  package static let addressInUse = Self(EADDRINUSE)
  package static let addressNotAvailable = Self(EADDRNOTAVAIL)
  package static let familyNotSupported = Self(EAFNOSUPPORT)
  package static let connectionRefused = Self(ECONNREFUSED)
  package static let connectionReset = Self(ECONNRESET)
  package static let brokenPipe = Self(EPIPE)
  package static let tooManyOpenFiles = Self(EMFILE)
  package static let timedOut = Self(ETIMEDOUT)
  package static let invalidArgument = Self(EINVAL)
  package static let readOnly = Self(EROFS)
  package static let notSupported = Self(EOPNOTSUPP)
  package static let messageTooLong = Self(EMSGSIZE)
}

private let symbols: [Int32: String] = [
  EPERM: "EPERM", ENOENT: "ENOENT", EINTR: "EINTR", EIO: "EIO", EBADF: "EBADF", EAGAIN: "EAGAIN", ENOMEM: "ENOMEM",
  EACCES: "EACCES", EBUSY: "EBUSY", EEXIST: "EEXIST", ENODEV: "ENODEV", ENOTDIR: "ENOTDIR", EISDIR: "EISDIR",
  EINVAL: "EINVAL", ENFILE: "ENFILE", EMFILE: "EMFILE", EFBIG: "EFBIG", ENOSPC: "ENOSPC", EROFS: "EROFS",
  EPIPE: "EPIPE", ENAMETOOLONG: "ENAMETOOLONG", ENOSYS: "ENOSYS", ENOTEMPTY: "ENOTEMPTY", ELOOP: "ELOOP",
  EMSGSIZE: "EMSGSIZE", EAFNOSUPPORT: "EAFNOSUPPORT", EADDRINUSE: "EADDRINUSE", EADDRNOTAVAIL: "EADDRNOTAVAIL",
  ENETUNREACH: "ENETUNREACH", ECONNABORTED: "ECONNABORTED", ECONNRESET: "ECONNRESET", ENOBUFS: "ENOBUFS",
  ENOTCONN: "ENOTCONN", ETIMEDOUT: "ETIMEDOUT", ECONNREFUSED: "ECONNREFUSED", EHOSTUNREACH: "EHOSTUNREACH",
  EINPROGRESS: "EINPROGRESS", EDQUOT: "EDQUOT", ENETDOWN: "ENETDOWN", EOPNOTSUPP: "EOPNOTSUPP",
]

/// Runs a system call again while a signal interrupts it. EINTR is known here and in `interruptedAsNone` only.
@inline(__always)
private func uninterrupted<Result: SignedInteger>(_ call: () -> Result) -> (result: Result, code: Int32) {
  while true {
    let result = call()
    if result >= 0 { return (result, 0) }
    let code = errno
    if code != EINTR { return (result, code) }
  }
}

/// Negative results become an `Errno`; `attempt` is made only then.
@inline(__always)
func retrying<Result: SignedInteger>(
  _ attempt: @autoclosure () -> String, _ call: () -> Result
) throws(Errno) -> Result {
  let (result, code) = uninterrupted(call)
  if code == 0 { return result }
  throw Errno(code, attempt())
}

/// As `retrying`, with would-block (and what a non-blocking connect says) as nil: the ordinary end of every loop must
/// be cheap.
@inline(__always)
func retryingUnlessBlocked<Result: SignedInteger>(
  _ attempt: @autoclosure () -> String, _ call: () -> Result
) throws(Errno) -> Result? {
  let (result, code) = uninterrupted(call)
  if code == 0 { return result }
  if code == EAGAIN || code == EINPROGRESS { return nil }
  throw Errno(code, attempt())
}

/// For waits with a deadline, which must not be counted anew after a signal: interruption is "nothing happened".
func interruptedAsNone(_ attempt: @autoclosure () -> String, _ result: Int32) throws(Errno) -> Int {
  if result >= 0 { return Int(result) }
  let code = errno
  if code == EINTR { return 0 }
  throw Errno(code, attempt())
}
