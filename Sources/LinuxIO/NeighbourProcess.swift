import Glibc

/// Another process in this network namespace, as /proc shows it.
package struct NeighbourProcess: Hashable, Sendable, CustomStringConvertible {
  package let number: Int32
  package let name: String
  /// Effective.
  package let user: UInt32
  /// CapEff, one bit a capability (linux/capability.h).
  package let effective: UInt64

  package var description: String { "\(name) (process \(number), uid \(user))" }
}

extension ProcessIdentity {
  /// The processes that share this network namespace and are not this program, as far as /proc shows them, by number.
  package static func neighbours(atMost limit: Int) -> [NeighbourProcess] {
    guard let own = linkTarget("/proc/self/ns/net"), let names = try? Directory("/proc").list() else { return [] }
    let program = linkTarget("/proc/self/exe")
    var found: [NeighbourProcess] = []
    for number in names.compactMap({ Int32($0) }).sorted().prefix(limit) where number != processIdentifier {
      guard linkTarget("/proc/\(number)/ns/net") == own, linkTarget("/proc/\(number)/exe") != program,
        let process = process(number)
      else { continue }
      found.append(process)
    }
    return found
  }

  private static func process(_ number: Int32) -> NeighbourProcess? {
    guard let bytes = try? File.readWhole("/proc/\(number)/status", limit: 64 << 10) else { return nil }
    var name = "?"
    var user: UInt32?
    var effective: UInt64 = 0
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
      let words = line.split(whereSeparator: { $0 == "\t" || $0 == " " }).map(String.init)
      switch words.first {
      case "Name:": name = words.dropFirst().joined(separator: " ")
      case "Uid:" where words.count > 2: user = UInt32(words[2])
      case "CapEff:" where words.count > 1: effective = UInt64(words[1], radix: 16) ?? 0
      default: break
      }
    }
    return user.map { NeighbourProcess(number: number, name: name, user: $0, effective: effective) }
  }

  /// What a symbolic link says, at most 4,095 octets; nil when it cannot be read. The corresponding C function is
  /// `readlink`.
  static func linkTarget(_ path: String) -> String? {
    var buffer = [CChar](repeating: 0, count: 4_095)
    // At most `count` octets are written, without a final zero.
    let length = unsafe readlink(path, &buffer, buffer.count)
    guard length > 0 else { return nil }
    return String(decoding: buffer.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
