import JSONText

/// How many flows the records of earlier starts account for, told or counted as lost, by their last checkpoint and what follows it: the kernel's counters go on over a start, and
/// what they know beyond this, nobody has told yet.
///
/// Records are read as foreign text: without a checkpoint of the last start there is no account.
package enum FormerAccount {
  /// - Parameter records: the newest records before this start, oldest first.
  package static func read(_ records: [[UInt8]]) -> FlowPair? {
    var sum = FlowPair()
    var boot: String?
    // Names are asked for by the ten thousand, and count nothing here.
    for bytes in records.reversed() where !FormerRecord.isAboutName(bytes) {
      guard let members = members(of: bytes), let own = members["SbxBootId"],
        let kind = members["SbxRecordKind"].flatMap(RecordKind.init(rawValue:))
      else { return nil }
      boot = boot ?? own
      guard boot == own else { return nil }
      let count = number(members, "EventCount") ?? 1
      switch kind {
      case .flowOpen where isNew(members): sum.allowed &+= count
      case .flowDenied where FlowDraft.Origin(rawValue: members["Origin"] ?? "").map({ !$0.isCounted }) ?? true:
        sum.denied &+= count
      case .recordsDropped where members["Flows"] == "allowed": sum.allowed &+= number(members, "SbxDroppedCount") ?? 0
      case .recordsDropped where members["Flows"] == "denied": sum.denied &+= number(members, "SbxDroppedCount") ?? 0
      case .heartbeat, .sidecarStart:
        guard let carriedAllowed = number(members, "SbxCarriedAllowed"),
          let carriedDenied = number(members, "SbxCarriedDenied")
        else { return nil }
        sum.allowed &+= carriedAllowed &+ total(members, "Allowed")
        sum.denied &+= carriedDenied &+ total(members, "Denied") &- (number(members, "SbxPendingDenied") ?? 0)
        return sum
      default: break
      }
    }
    return nil
  }

  /// It left the pod, and not before the start that says so.
  private static func isNew(_ members: [String: String]) -> Bool {
    members["NetworkDirection"] == "Outbound" && members["SbxOwnFlow"] == nil
      && members["Origin"] != FlowDraft.Origin.adopted.rawValue
  }

  private static func total(_ members: [String: String], _ what: String) -> UInt64 {
    (number(members, "SbxRecorded\(what)") ?? 0) &+ (number(members, "SbxLost\(what)") ?? 0)
  }

  private static func number(_ members: [String: String], _ name: String) -> UInt64? {
    members[name].flatMap { UInt64($0) }
  }

  /// The needed members of the object, and of the object `AdditionalFields` in it; their names are distinct.
  private static func members(of bytes: [UInt8]) -> [String: String]? {
    var reader = JSONReader(bytes)
    do throws(JSONError) {
      var members: [String: String] = [:]
      guard try reader.next() == .beginObject else { return nil }
      while true {
        let token = try reader.next()
        if token == .end { return members }
        guard token == .key else { continue }
        let name = needed[reader.text]
        let value = try reader.next()
        if value == .beginArray { try reader.skip(value) }
        guard let name else { continue }
        if value == .string || value == .number {
          members[name] = String(decoding: reader.text, as: UTF8.self)
        } else if value == .bool(true) {
          members[name] = "true"
        }
      }
    } catch {
      return nil
    }
  }

  private static let needed: [[UInt8]: String] = Dictionary(
    uniqueKeysWithValues: [
      "SbxBootId", "SbxRecordKind", "EventCount", "NetworkDirection", "SbxOwnFlow", "Origin", "Flows",
      "SbxDroppedCount", "SbxCarriedAllowed", "SbxCarriedDenied", "SbxRecordedAllowed", "SbxRecordedDenied",
      "SbxLostAllowed", "SbxLostDenied", "SbxPendingDenied",
    ].map { (Array($0.utf8), $0) })
}
