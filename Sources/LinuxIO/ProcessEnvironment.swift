import CLinux

/// What the process was started with.
package enum ProcessEnvironment {
  /// Environment variables. Of a repeated name the first counts, as for getenv(3). Octets that are not UTF-8 become
  /// U+FFFD.
  package static func all() -> [String: String] {
    var result: [String: String] = [:]
    guard var entry = unsafe clinux_environment() else { return result }
    // `environ` ends with a null pointer, and nobody here writes to it.
    while let text = unsafe entry.pointee {
      let pair = unsafe String(cString: text)
      if let equals = pair.firstIndex(of: "=") {
        let name = String(pair[..<equals])
        if result[name] == nil { result[name] = String(pair[pair.index(after: equals)...]) }
      }
      unsafe entry += 1
    }
    return result
  }

  /// Arguments without the program's name.
  package static func arguments() -> [String] { Array(CommandLine.arguments.dropFirst()) }
}
