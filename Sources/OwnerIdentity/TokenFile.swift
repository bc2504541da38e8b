/// The file that brings a token: the token alone, or the pod's annotations as the downward API writes them, one `key="value"` a line with the value quoted
/// as Go does it (Kubernetes, docs/concepts/workloads/pods/downward-api).
package enum TokenFile {
  /// The annotation that carries the token.
  package static let annotation = "sallyport.dev/owner-token"
  /// The longest file that is read, in octets: Kubernetes lets all annotations of an object have 256 KiB, and quoting may double what is odd.
  package static let octetsMax = 512 << 10

  /// The token; nil when the file has none yet. The token itself is not looked at.
  package static func token(in contents: [UInt8]) -> [UInt8]? {
    let lines = contents.split(separator: 0x0a).map(trimmed).filter { !$0.isEmpty }
    let opening = Array("\(annotation)=\"".utf8)
    let found = lines.filter { $0.starts(with: opening) && $0.count > opening.count && $0.last == 0x22 }
    if let line = found.first {
      let value = Array(line.dropFirst(opening.count).dropLast())
      // An annotation that was emptied is as good as none. A name stands once in the file; if not, none of them is taken.
      return found.count == 1 && !value.isEmpty ? value : nil
    }
    // A compact JWS has neither sign; a line that has is another annotation.
    guard lines.count == 1, !lines[0].contains(0x3d), !lines[0].contains(0x22) else { return nil }
    return Array(lines[0])
  }

  private static func trimmed(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    let rest = line.drop { $0 == 0x20 || $0 == 0x09 || $0 == 0x0d }
    guard let last = rest.lastIndex(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0d }) else { return [] }
    return rest[...last]
  }
}
