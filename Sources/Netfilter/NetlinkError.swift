import Glibc

/// Why a netlink request failed.
package enum NetlinkError: Error, Hashable, Sendable, CustomStringConvertible {
  /// A system call or the kernel's answer failed with this errno.
  case failed(operation: String, code: Int32)
  /// No answer within `NetlinkSocket.answerTimeout`.
  case timedOut(operation: String)
  /// The table changed under every attempt to dump it.
  case interrupted(operation: String)

  /// The kernel has no object of that name (ENOENT).
  package var isMissingObject: Bool {
    if case .failed(_, code: ENOENT) = self { true } else { false }
  }

  /// The kernel does not let this process (EPERM).
  package var isRefusal: Bool {
    if case .failed(_, code: EPERM) = self { true } else { false }
  }

  package var description: String {
    switch self {
    case .failed(let operation, let code): "\(operation): \(errorName(code))"
    case .timedOut(let operation): "\(operation): no answer from the kernel"
    case .interrupted(let operation): "\(operation): changed while it was read"
    }
  }
}
