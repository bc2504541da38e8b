import Glibc

/// An open descriptor: closed exactly once, when its owner goes.
package struct FileDescriptor: ~Copyable, Sendable {
  /// The number, for calls and for `EventPoll` while this value lives.
  package let number: Int32

  /// Takes over an open descriptor; nobody else may close it.
  package init(owning number: Int32) { self.number = number }

  deinit {
    // After EINTR Linux has closed it all the same (close(2)): a retry could close another thread's new descriptor.
    _ = close(number)
  }
}
