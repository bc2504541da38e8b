import Firewall
import Timekeeping

// Set elements as attributes, by hand: they are on the path of every DNS answer, and libnftnl would allocate three times for each.
extension MessageWriter {
  /// An element message is closed when it is this long, so that its list stays below the 65,535 octets that the length of an attribute
  /// can say. One element takes at most 500.
  static let elementMessageSizeMax = 48 << 10

  /// One element; a range in a set with one key part is two: the first value, and the first after the last, marked as an end.
  ///
  /// With `adds` false only what names the element is written: the kernel refuses a timeout in a deletion of some kinds of set.
  mutating func append(_ element: SetElement, adds: Bool) {
    let isConcatenated = element.key.count > 1
    let nest = beginNest(TablesAttribute.listElement)
    keyAttribute(TablesAttribute.elementKey, element.key)
    if let last = element.last, isConcatenated { keyAttribute(TablesAttribute.elementKeyEnd, last) }
    if adds {
      if let mark = element.mark {
        let data = beginNest(TablesAttribute.elementData)
        beginAttribute(TablesAttribute.dataValue, length: 4)
        appendHostOrder(mark)
        endNest(data)
      }
      if let timeout = element.timeout {
        attribute(TablesAttribute.elementTimeout, bigEndian: kernelMilliseconds(timeout))
      }
      if let comment = element.comment {
        let length = min(comment.count, SetElement.commentMax)
        beginAttribute(TablesAttribute.elementUserData, length: length + 3)
        append(TablesAttribute.commentUserData)
        append(UInt8(length + 1))
        append(raw: comment[..<length])
        append(0)
        pad()
      }
    }
    endNest(nest)
    if let last = element.last, !isConcatenated, let after = successor(of: last[0]) {
      let nest = beginNest(TablesAttribute.listElement)
      attribute(TablesAttribute.elementFlags, bigEndian: TablesAttribute.intervalEndFlag)
      keyAttribute(TablesAttribute.elementKey, ElementValues([after]))
      endNest(nest)
    }
  }

  private mutating func keyAttribute(_ type: UInt16, _ key: ElementValues) {
    let nest = beginNest(type)
    var length = 0
    for part in 0..<key.count { length += key.count == 1 ? key.length(of: part) : (key.length(of: part) + 3) & ~3 }
    beginAttribute(TablesAttribute.dataValue, length: length)
    for part in 0..<key.count {
      key.forEachOctet(of: part) { append($0) }
      pad()
    }
    endNest(nest)
  }
}

/// A key as it lies in the kernel's register.
func paddedKey(_ parts: ElementValues) -> [UInt8] {
  if parts.count == 1 { return parts[0] }
  var key: [UInt8] = []
  for part in parts {
    key.append(contentsOf: part)
    while key.count & 3 != 0 { key.append(0) }
  }
  return key
}

/// The value after this one, as a big-endian number; nil after the highest.
func successor(of value: [UInt8]) -> [UInt8]? {
  var value = value
  for index in value.indices.reversed() {
    if value[index] < 255 {
      value[index] += 1
      return value
    }
    value[index] = 0
  }
  return nil
}

/// The value before this one, as a big-endian number; nil before zero.
func predecessor(of value: [UInt8]) -> [UInt8]? {
  var value = value
  for index in value.indices.reversed() {
    if value[index] > 0 {
      value[index] -= 1
      return value
    }
    value[index] = 255
  }
  return nil
}

/// A timeout for the kernel: at least a millisecond, since zero means never, and rounded down, so that a lease never outlives its grant.
private func kernelMilliseconds(_ timeout: TimeSpan) -> UInt64 { UInt64(max(timeout.milliseconds, 1)) }
