import CLinux
import Glibc

/// A Linux capability (linux/capability.h).
package struct Capability: RawRepresentable, Hashable, Sendable {
  package let rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }
  package static let setGroup = Self(rawValue: 6)
  package static let setUser = Self(rawValue: 7)
  package static let networkAdministration = Self(rawValue: 12)
  var bit: UInt64 { 1 << UInt64(rawValue) }
}

/// Who this process is to the kernel.
package enum ProcessIdentity {
  package enum DropFailure: Error, Hashable, CustomStringConvertible {
    case call(Errno)
    /// Capabilities belong to threads: with several, the others would keep theirs.
    case severalThreads(Int)
    /// What was read back is not what was asked for.
    case notInForce(String)

    package var description: String {
      switch self {
      case .call(let error): error.description
      case .severalThreads(let count): "privileges are given up before threads are made, and there are \(count)"
      case .notInForce(let what): "privileges were not given up: \(what)"
      }
    }
  }

  package static var effectiveUser: UInt32 { geteuid() }
  package static var processIdentifier: Int32 { getpid() }

  /// Whether the calling thread has it in its effective set.
  package static func has(_ capability: Capability) -> Bool {
    var now = clinux_capabilities()
    return unsafe clinux_capabilities_get(&now) == 0 && now.effective & capability.bit != 0
  }

  /// Becomes `user` (and group of the same number), in no other group, with `keeping` permitted and effective and
  /// nothing inheritable or ambient, and can gain nothing by exec any more; then reads all of it back. Once, before
  /// threads are made. The process is not dumpable afterwards (prctl(2)), so no other process of that user reads its
  /// memory.
  package static func drop(to user: UInt32, keeping: [Capability]) throws(DropFailure) {
    let threads = threadCount()
    guard threads == 1 else { throw .severalThreads(threads) }
    let wanted = keeping.reduce(UInt64(0)) { $0 | $1.bit }
    do throws(Errno) {
      _ = try retrying("prctl PR_SET_KEEPCAPS") { clinux_keep_capabilities(1) }
      _ = try retrying("setgroups") { clinux_no_groups() }
      _ = try retrying("setresuid \(user)") { clinux_set_ids(user, user) }
      var kept = clinux_capabilities(permitted: wanted, effective: wanted, inheritable: 0)
      _ = try retrying("capset") { unsafe clinux_capabilities_set(&kept) }
      _ = try retrying("prctl PR_SET_KEEPCAPS") { clinux_keep_capabilities(0) }
      _ = try retrying("prctl PR_CAP_AMBIENT") { clinux_clear_ambient() }
      _ = try retrying("prctl PR_SET_NO_NEW_PRIVS") { clinux_no_new_privileges() }
    } catch {
      throw .call(error)
    }
    try verify(user: user, capabilities: wanted)
  }

  /// Does `body` as `user` (and group of the same number) in the eyes of file systems: what it makes is that user's, and only what that user may open can be opened.
  /// Takes CAP_SETUID and CAP_SETGID, and neither CAP_CHOWN nor CAP_DAC_OVERRIDE. The corresponding C functions are `setfsuid`, `setfsgid`.
  package static func asFileUser<T>(_ user: UInt32, _ body: () throws(Errno) -> T) throws(Errno) -> T {
    _ = try retrying("setfsuid \(user)") { clinux_set_file_ids(user, user) }
    // Back to the effective ids, which always succeeds (setfsuid(2)).
    defer { _ = clinux_set_file_ids(geteuid(), getegid()) }
    return try body()
  }

  private static func verify(user: UInt32, capabilities wanted: UInt64) throws(DropFailure) {
    var users: [UInt32] = [0, 0, 0]
    var groups: [UInt32] = [0, 0, 0]
    var now = clinux_capabilities()
    guard unsafe clinux_get_ids(&users, &groups) == 0, unsafe clinux_capabilities_get(&now) == 0 else {
      throw .call(Errno(errno, "getresuid, capget"))
    }
    guard users.allSatisfy({ $0 == user }) else { throw .notInForce("user ids are \(users)") }
    guard groups.allSatisfy({ $0 == user }) else { throw .notInForce("group ids are \(groups)") }
    guard clinux_group_count() == 0 else { throw .notInForce("supplementary groups are left") }
    guard now.permitted == wanted, now.effective == wanted, now.inheritable == 0 else {
      throw .notInForce("capabilities are \(String(now.permitted, radix: 16)), \(String(now.effective, radix: 16))")
    }
    guard clinux_has_no_new_privileges() == 1 else { throw .notInForce("no_new_privs is off") }
    // The proof that matters: root is out of reach.
    guard user == 0 || setuid(0) != 0 else { throw .notInForce("the process could become root again") }
  }

  /// 1 when /proc does not say: then the read-back decides.
  private static func threadCount() -> Int { statusNumber("/proc/self/status", "Threads:") ?? 1 }

  /// Where this process sees the network: the boot of the kernel and the network namespace, as `BOOT-ID/net:[NUMBER]`. Unlike in all other places where both are
  /// known; what is not known is a question mark.
  package static func networkPlace() -> String {
    let boot = (try? File.readWhole("/proc/sys/kernel/random/boot_id", limit: 64)) ?? []
    let text = String(decoding: boot.prefix { $0 != 0x0a }, as: UTF8.self)
    return "\(text.isEmpty ? "?" : text)/\(linkTarget("/proc/self/ns/net") ?? "?")"
  }

  /// gethostname(2); the pod's name under Kubernetes.
  package static func hostName() -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard unsafe gethostname(&buffer, buffer.count - 1) == 0 else { return "" }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Proportional set size in octets: what this process costs the pod. Nil without /proc/self/smaps_rollup (Linux
  /// 4.14).
  package static func proportionalMemory() -> Int64? {
    statusNumber("/proc/self/smaps_rollup", "Pss:").map { Int64($0) * 1_024 }
  }

  /// The number after `key` at the start of a line.
  private static func statusNumber(_ path: String, _ key: String) -> Int? {
    guard let bytes = try? File.readWhole(path, limit: 64 << 10) else { return nil }
    for line in bytes.split(separator: 0x0a) where line.starts(with: key.utf8) {
      let digits = line.dropFirst(key.utf8.count).drop { $0 == 0x20 || $0 == 0x09 }
      return Int(String(decoding: digits.prefix { (0x30...0x39).contains($0) }, as: UTF8.self))
    }
    return nil
  }
}

extension ProcessIdentity {
  /// Ends the process at once: what other threads were doing is cut. The corresponding C function is `_exit`.
  package static func exit(_ status: Int32) -> Never { _exit(status) }
}
