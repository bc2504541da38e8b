/// Civil time: microseconds since 1970-01-01T00:00:00Z, leap seconds not counted (POSIX).
package struct WallTime: Hashable, Comparable, Sendable, CustomStringConvertible {
  package var microseconds: Int64

  package init(microseconds: Int64) { self.microseconds = microseconds }

  /// RFC 3339 with an offset or `Z`, upper or lower case, at most nine fraction digits (beyond microseconds cut off). Nil for anything else,
  /// for a day the month does not have, and for years before 1970. A leap second reads as the second after it.
  package init?(_ text: some StringProtocol) {
    let bytes = Array(text.utf8)
    guard bytes.count >= 20, bytes.count <= 35 else { return nil }
    func number(_ range: Range<Int>) -> Int? {
      guard range.upperBound <= bytes.count, bytes[range].allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
      return bytes[range].reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }
    guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
      let minute = number(14..<16), let second = number(17..<19), bytes[4] == 0x2d, bytes[7] == 0x2d,
      bytes[10] == 0x54 || bytes[10] == 0x74, bytes[13] == 0x3a, bytes[16] == 0x3a,
      year >= 1970, (1...12).contains(month), (1...daysInMonth(year, month)).contains(day), hour < 24, minute < 60,
      second <= 60
    else { return nil }
    var at = 19
    var fraction = 0
    if bytes[at] == 0x2e {
      at += 1
      let start = at
      while at < bytes.count, (0x30...0x39).contains(bytes[at]) {
        if at - start < 6 { fraction = fraction * 10 + Int(bytes[at] - 0x30) }
        at += 1
      }
      guard (1...9).contains(at - start) else { return nil }
      for _ in min(at - start, 6)..<6 { fraction *= 10 }
    }
    guard at < bytes.count else { return nil }
    var offset = 0
    switch bytes[at] {
    case 0x5a, 0x7a: at += 1
    case 0x2b, 0x2d:
      guard at + 6 == bytes.count, bytes[at + 3] == 0x3a, let hours = number(at + 1..<at + 3),
        let minutes = number(at + 4..<at + 6), hours < 24, minutes < 60
      else { return nil }
      offset = (hours * 60 + minutes) * (bytes[at] == 0x2d ? -60 : 60)
      at += 6
    default: return nil
    }
    guard at == bytes.count else { return nil }
    let seconds = ((daysFromEpoch(year, month, day) * 24 + hour) * 60 + minute) * 60 + second - offset
    self.init(microseconds: Int64(seconds) * 1_000_000 + Int64(fraction))
  }

  package static func < (left: Self, right: Self) -> Bool { left.microseconds < right.microseconds }
  package static func + (left: Self, right: TimeSpan) -> Self {
    Self(microseconds: left.microseconds + right.nanoseconds / 1_000)
  }
  package static func - (left: Self, right: Self) -> TimeSpan { .microseconds(left.microseconds - right.microseconds) }

  /// RFC 3339 in UTC with six fraction digits and `Z`, 27 octets: the form of every record.
  package var description: String { String(decoding: utf8, as: UTF8.self) }

  /// The octets of `description`, without making a `String`: records are written this way.
  package var utf8: [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(27)
    let microsecond = Int(microseconds - floorDivide(microseconds, 1_000_000) * 1_000_000)
    let second = Int(floorDivide(microseconds, 1_000_000))
    let day = Int(floorDivide(Int64(second), 86_400))
    let ofDay = second - day * 86_400
    let (year, month, date) = civil(daysFromEpoch: day)
    func append(_ value: Int, _ width: Int) {
      var divisor = 1
      for _ in 1..<width { divisor *= 10 }
      var rest = value
      while divisor > 0 {
        text.append(0x30 + UInt8(truncatingIfNeeded: rest / divisor % 10))
        rest %= divisor
        divisor /= 10
      }
    }
    append(year, 4)
    text.append(0x2d)
    append(month, 2)
    text.append(0x2d)
    append(date, 2)
    text.append(0x54)
    append(ofDay / 3600, 2)
    text.append(0x3a)
    append(ofDay / 60 % 60, 2)
    text.append(0x3a)
    append(ofDay % 60, 2)
    text.append(0x2e)
    append(microsecond, 6)
    text.append(0x5a)
    return text
  }
}

private func floorDivide(_ value: Int64, _ by: Int64) -> Int64 {
  value >= 0 ? value / by : (value - by + 1) / by
}

private func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

private func daysInMonth(_ year: Int, _ month: Int) -> Int {
  switch month {
  case 2: isLeap(year) ? 29 : 28
  case 4, 6, 9, 11: 30
  default: 31
  }
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar, counting years from March so that the leap day ends one.
private func daysFromEpoch(_ year: Int, _ month: Int, _ day: Int) -> Int {
  let year = month <= 2 ? year - 1 : year
  let month = month <= 2 ? month + 9 : month - 3
  return year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468
}

private func civil(daysFromEpoch days: Int) -> (year: Int, month: Int, day: Int) {
  let days = days + 719_468
  let era = (days >= 0 ? days : days - 146_096) / 146_097
  let ofEra = days - era * 146_097
  let yearOfEra = (ofEra - ofEra / 1_460 + ofEra / 36_524 - ofEra / 146_096) / 365
  let ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
  let shifted = (5 * ofYear + 2) / 153
  let month = shifted < 10 ? shifted + 3 : shifted - 9
  return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, ofYear - (153 * shifted + 2) / 5 + 1)
}
