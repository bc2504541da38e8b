import Firewall
import Glibc
import Timekeeping

extension NftablesSocket {
  /// Every element of a set of our table, in the kernel's order (sorted in an interval set). `timeout` is what is left of it.
  package func elements(of set: SetDefinition) throws(NetlinkError) -> [SetElement] {
    let raw = try rawElements(of: set.name)
    if set.isInterval && set.key.count == 1 { return pairedRanges(raw) }
    return raw.compactMap { element in
      guard let key = splitKey(element.key, set.key) else { return nil }
      return SetElement(
        ElementValues(key), last: element.last.flatMap { splitKey($0, set.key) }.map { ElementValues($0) },
        mark: element.mark, timeout: element.timeout,
        comment: element.comment)
    }
  }

  /// Every element of a set whose elements count packets, with its count. The corresponding command is `nft list set inet sallyport NAME`.
  package func countedElements(of set: SetDefinition) throws(NetlinkError) -> [(element: SetElement, count: RuleCount)]
  {
    try rawElements(of: set.name).compactMap { element -> (element: SetElement, count: RuleCount)? in
      guard let key = splitKey(element.key, set.key), let count = element.count else { return nil }
      return (SetElement(ElementValues(key)), count)
    }
  }

  /// Whether our table is there.
  package func hasTable() throws(NetlinkError) -> Bool {
    do throws(NetlinkError) {
      try requests.exchange(MessageType.getTable, family: ProtocolFamily.inet, operation: "get table") { request in
        request.attribute(TablesAttribute.tableName, text: table)
      } each: { _, _ in
      }
      return true
    } catch {
      if case .failed(_, code: ENOENT) = error { return false }
      throw error
    }
  }

  /// The keys, as on the wire, of the sets that a transaction removes from.
  func presentKeys(of transaction: KernelTransaction) throws(NetlinkError) -> [SetName: Set<[UInt8]>] {
    var known: [SetName: Set<[UInt8]>] = [:]
    for change in transaction.changes {
      switch change {
      case .renewElements(let set, _), .destroyElements(let set, _):
        if known[set] == nil { known[set] = Set(try rawElements(of: set).filter { !$0.isEnd }.map(\.key)) }
      default: break
      }
    }
    return known
  }

  /// An element as the kernel lists it.
  struct RawElement {
    var key: [UInt8] = []
    var last: [UInt8]?
    var isEnd = false
    var mark: UInt32?
    var timeout: TimeSpan?
    var comment: [UInt8]?
    var count: RuleCount?
  }

  /// Lists a set until a listing is whole. The kernel goes on with a dump by counting from the start, and does not say when its hash
  /// table was resized between two parts: then elements come twice, and as many are missing.
  func rawElements(of set: SetName) throws(NetlinkError) -> [RawElement] {
    for _ in 0..<NetlinkRequester.dumpAttemptsMax {
      let elements = try listing(of: set)
      var seen: Set<[UInt8]> = []
      seen.reserveCapacity(elements.count)
      if elements.allSatisfy({ seen.insert($0.key + [$0.isEnd ? 1 : 0]).inserted }) { return elements }
    }
    throw .interrupted(operation: "list set \(set.rawValue)")
  }

  private func listing(of set: SetName) throws(NetlinkError) -> [RawElement] {
    var elements: [RawElement] = []
    try requests.dump(
      MessageType.getElements, family: ProtocolFamily.inet, operation: "list set \(set.rawValue)"
    ) { request in
      request.attribute(TablesAttribute.table, text: table)
      request.attribute(TablesAttribute.listSet, text: set.rawValue)
    } restart: {
      elements = []
    } each: { message, bytes in
      var reader = message.attributes(in: bytes)
      while let attribute = reader.nextAttribute(in: bytes) {
        guard attribute.type == TablesAttribute.listElements else { continue }
        var list = AttributeReader(attribute.value, in: bytes)
        while let item = list.nextAttribute(in: bytes) { elements.append(rawElement(item.value, in: bytes)) }
      }
    }
    return elements
  }
}

func rawElement(_ range: Range<Int>, in bytes: borrowing Span<UInt8>) -> NftablesSocket.RawElement {
  var element = NftablesSocket.RawElement()
  var reader = AttributeReader(range, in: bytes)
  while let attribute = reader.nextAttribute(in: bytes) {
    let start = attribute.value.lowerBound
    switch attribute.type {
    case TablesAttribute.elementKey: element.key = dataValue(attribute.value, in: bytes) ?? []
    case TablesAttribute.elementKeyEnd: element.last = dataValue(attribute.value, in: bytes)
    case TablesAttribute.elementData:
      element.mark = dataValue(attribute.value, in: bytes).flatMap { $0.span.hostOrder32(at: 0) }
    case TablesAttribute.elementFlags:
      element.isEnd = (bytes.bigEndian32(at: start) ?? 0) & TablesAttribute.intervalEndFlag != 0
    case TablesAttribute.elementTimeout where element.timeout == nil:
      element.timeout = milliseconds(bytes.bigEndian64(at: start))
    // What is left; it comes after the timeout.
    case TablesAttribute.elementExpiration: element.timeout = milliseconds(bytes.bigEndian64(at: start))
    case TablesAttribute.elementUserData: element.comment = comment(bytes.array(attribute.value))
    case TablesAttribute.elementExpression: element.count = expressionCount(attribute.value, in: bytes)
    default: break
    }
  }
  return element
}

/// The comment among the parts of an element's user data: type, length, value.
private func comment(_ data: [UInt8]) -> [UInt8]? {
  var at = 0
  while at + 2 <= data.count {
    let length = Int(data[at + 1])
    guard at + 2 + length <= data.count else { return nil }
    if data[at] == TablesAttribute.commentUserData { return Array(data[at + 2..<at + 2 + length].prefix { $0 != 0 }) }
    at += 2 + length
  }
  return nil
}

/// The value inside a nest of NFTA_DATA_VALUE.
func dataValue(_ range: Range<Int>, in bytes: borrowing Span<UInt8>) -> [UInt8]? {
  var reader = AttributeReader(range, in: bytes)
  while let attribute = reader.nextAttribute(in: bytes) {
    if attribute.type == TablesAttribute.dataValue { return bytes.array(attribute.value) }
  }
  return nil
}

private func milliseconds(_ count: UInt64?) -> TimeSpan? {
  // At most 200 years, so that the nanoseconds fit 64 bits.
  count.map { .milliseconds(Int64(min($0, 200 * 365 * 86_400_000))) }
}

/// The parts of a padded key; nil when the length is another.
private func splitKey(_ key: [UInt8], _ parts: [KeyPart]) -> [[UInt8]]? {
  if parts.count == 1 { return key.count == parts[0].length ? [key] : nil }
  guard key.count == parts.reduce(0, { $0 + $1.paddedLength }) else { return nil }
  var start = 0
  return parts.map { part in
    defer { start += part.paddedLength }
    return Array(key[start..<start + part.length])
  }
}

/// Starts and ends, sorted and joined to inclusive ranges. Where a range begins at the end of another, only one of the two may be listed.
private func pairedRanges(_ raw: [NftablesSocket.RawElement]) -> [SetElement] {
  let sorted = raw.sorted { left, right in
    left.key == right.key ? left.isEnd && !right.isEnd : left.key.lexicographicallyPrecedes(right.key)
  }
  return sorted.indices.compactMap { index in
    let start = sorted[index]
    if start.isEnd { return nil }
    let next = sorted.indices.contains(index + 1) ? predecessor(of: sorted[index + 1].key) : nil
    let last = next ?? [UInt8](repeating: 255, count: start.key.count)
    return SetElement([start.key], last: [last], mark: start.mark, timeout: start.timeout, comment: start.comment)
  }
}
