import JSONText

/// The operations of RFC 6902 that make one value of another. Members are compared one by one, arrays as a whole: what
/// a reader of an audit log wants to see of a pod is which list changed.
package enum JSONPatch {
  package static func difference(from old: JSONValue, to new: JSONValue) -> JSONValue {
    var operations: [JSONValue] = []
    compare(old, new, at: "", into: &operations)
    return .array(operations)
  }

  private static func compare(_ old: JSONValue, _ new: JSONValue, at path: String, into operations: inout [JSONValue]) {
    guard old != new else { return }
    guard let before = old.object, let after = new.object else {
      operations.append(operation("replace", path, new))
      return
    }
    for member in before where new[member.key] == nil {
      operations.append(operation("remove", path + "/" + token(member.key), nil))
    }
    for member in after {
      let place = path + "/" + token(member.key)
      if let value = old[member.key] {
        compare(value, member.value, at: place, into: &operations)
      } else {
        operations.append(operation("add", place, member.value))
      }
    }
  }

  private static func operation(_ name: String, _ path: String, _ value: JSONValue?) -> JSONValue {
    var operation = JSONValue.object(("op", .string(name)), ("path", .string(path)))
    if let value { operation[member: "value"] = value }
    return operation
  }

  /// RFC 6901 §3.
  private static func token(_ key: String) -> String {
    key.split(separator: "~", omittingEmptySubsequences: false).joined(separator: "~0")
      .split(separator: "/", omittingEmptySubsequences: false).joined(separator: "~1")
  }
}
