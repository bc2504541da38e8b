import JSONText

/// What `sallyport doctor` found: one check a line, with what to do about it.
package struct PreflightReport: Hashable, Sendable {
  package enum Status: String, Hashable, Comparable, Sendable {
    case ok
    /// Enforcement holds; something beside it does not.
    case degraded
    /// Enforcement cannot be had without it.
    case missing

    package static func < (left: Self, right: Self) -> Bool { left.rank < right.rank }

    private var rank: Int {
      switch self {
      case .ok: 0
      case .degraded: 1
      case .missing: 2
      }
    }
  }

  package struct Check: Hashable, Sendable {
    package var name: String
    package var status: Status
    /// What was found.
    package var detail: String
    /// What to do about it; nil when there is nothing to do.
    package var remedy: String?
  }

  package private(set) var checks: [Check] = []

  package init() {}

  package mutating func add(_ name: String, _ status: Status, _ detail: String, remedy: String? = nil) {
    checks.append(Check(name: name, status: status, detail: detail, remedy: remedy))
  }

  /// The worst of them.
  package var status: Status { checks.map(\.status).max() ?? .ok }

  /// One line a check: `STATUS NAME: DETAIL; to do: REMEDY`.
  package var text: String {
    checks.map { check in
      let status = check.status.rawValue
      let space = String(repeating: " ", count: max(0, 9 - status.utf8.count))
      return
        "\(status)\(space)\(check.name): \(oneLine(check.detail))\(check.remedy.map { "; to do: \(oneLine($0))" } ?? "")\n"
    }
    .joined()
  }

  /// `{"status":…,"checks":[{"name":…,"status":…,"detail":…,"remedy":…}]}`; `remedy` only where there is one.
  package var json: [UInt8] {
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("status")
    writer.string(status.rawValue)
    writer.key("checks")
    writer.beginArray()
    for check in checks {
      writer.beginObject()
      writer.key("name")
      writer.string(check.name)
      writer.key("status")
      writer.string(check.status.rawValue)
      writer.key("detail")
      writer.string(check.detail)
      if let remedy = check.remedy {
        writer.key("remedy")
        writer.string(remedy)
      }
      writer.endObject()
    }
    writer.endArray()
    writer.endObject()
    return writer.bytes
  }
}

private func oneLine(_ text: String) -> String {
  String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 ? " " : $0 }))
}
