/// Which names of the environment are ours.
enum SettingNames {
  static let prefix = "SALLYPORT_"
  static let openSandboxPrefix = "OPENSANDBOX_EGRESS_"

  /// Every name that can be given: settings, OpenSandbox's, and `_FILE` for secrets.
  static let known: Set<String> = {
    var names: Set<String> = []
    for setting in SettingTable.settings + SettingTable.openSandboxOnly {
      names.insert(setting.name)
      if setting.isSecret { names.insert("\(setting.name)_FILE") }
      guard let name = setting.openSandboxName else { continue }
      names.insert(name)
      if setting.isSecret { names.insert("\(name)_FILE") }
    }
    return names
  }()

  /// A variable that Kubernetes sets for a service called `sallyport` or `sallyport-…` (kubernetes.io, "Discovering services").
  static func isServiceLink(_ name: String, value: String) -> Bool {
    let isPlain = ["tcp://", "udp://", "sctp://"].contains { value.hasPrefix($0) }
    if name.hasSuffix("_SERVICE_HOST") || name.hasSuffix("_SERVICE_PORT") || name.contains("_SERVICE_PORT_") {
      return true
    }
    if name.hasSuffix("_PORT"), isPlain { return true }
    // SALLYPORT_PORT_18080_TCP, …_TCP_PROTO, …_TCP_PORT, …_TCP_ADDR
    var parts = name.split(separator: "_", omittingEmptySubsequences: false)
    if let last = parts.last, ["PROTO", "PORT", "ADDR"].contains(last) { parts.removeLast() }
    guard parts.count >= 4, let transport = parts.popLast(), ["TCP", "UDP", "SCTP"].contains(transport),
      let port = parts.popLast(), UInt16(port) != nil, parts.last == "PORT"
    else { return false }
    return true
  }

  /// `; did you mean …?` for a name that is a few letters off.
  static func hint(for name: String) -> String {
    /// Letters that may be wrong for a name to be taken for another; of a short one at most half.
    let distanceMax = 3
    let length = name.utf8.count - (name.hasPrefix(prefix) ? prefix.utf8.count : 0)
    let nearest = known.sorted().map { (distance(name, $0), $0) }.min { $0.0 < $1.0 }
    guard let nearest, nearest.0 <= min(distanceMax, length / 2) else { return "" }
    return "; did you mean \(nearest.1)?"
  }

  /// Levenshtein's distance in octets.
  private static func distance(_ left: String, _ right: String) -> Int {
    /// No name of ours is as long, and an environment may hold anything.
    let octetsMax = 64
    let left = Array(left.utf8)
    let right = Array(right.utf8)
    guard left.count <= octetsMax else { return Int.max }
    var row = Array(0...right.count)
    for (i, a) in left.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, b) in right.enumerated() {
        let above = row[j + 1]
        row[j + 1] = a == b ? diagonal : 1 + min(diagonal, above, row[j])
        diagonal = above
      }
    }
    return row[right.count]
  }
}
