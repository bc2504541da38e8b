import Testing

@testable import Timekeeping

@Suite struct WallTimeTests {
  @Test(arguments: [
    ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z"), ("2026-12-01T00:00:00Z", "2026-12-01T00:00:00.000000Z"),
    ("2024-02-29T23:59:59.5+02:00", "2024-02-29T21:59:59.500000Z"),
    ("2000-03-01t00:00:00.123456789z", "2000-03-01T00:00:00.123456Z"),
    ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000Z"),
    ("2026-01-01T00:00:00-23:59", "2026-01-01T23:59:00.000000Z"),
  ])
  func timesReadAndWriteAsUTC(text: String, canonical: String) {
    #expect(WallTime(text)?.description == canonical)
  }

  @Test(arguments: [
    "", "2026-12-01", "2026-12-01T00:00:00", "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-12-01 00:00:00Z",
    "2026-12-01T24:00:00Z",
    "2026-12-01T00:60:00Z", "2026-12-01T00:00:00.Z", "2026-12-01T00:00:00Zx", "2026-12-01T00:00:00+2:00",
    "1969-12-31T23:59:59Z",
    "2026-12-01T00:00:61Z", "2026-12-01T00:00:00+24:00",
  ])
  func otherTextIsRefused(text: String) {
    #expect(WallTime(text) == nil)
  }

  @Test func everyDayOfFourCenturiesReadsBack() {
    for day in stride(from: Int64(0), to: 146_097, by: 1) {
      let time = WallTime(microseconds: day * 86_400_000_000 + 1)
      #expect(WallTime(time.description) == time)
    }
  }
}

@Suite struct DeadlineQueueTests {
  @Test func keysComeOutInOrderOfDeadlineAndTiesInOrderOfSetting() {
    var queue = DeadlineQueue<String>()
    queue.set("c", at: Instant(nanoseconds: 3))
    queue.set("b", at: Instant(nanoseconds: 2))
    queue.set("a", at: Instant(nanoseconds: 2))
    queue.set("c", at: Instant(nanoseconds: 1))
    queue.set("gone", at: Instant(nanoseconds: 0))
    queue.remove("gone")
    #expect(queue.next == Instant(nanoseconds: 1))
    #expect(queue.pop(at: Instant(nanoseconds: 0)) == nil)
    var order: [String] = []
    while let key = queue.pop(at: Instant(nanoseconds: 9)) { order.append(key) }
    #expect(order == ["c", "b", "a"])
    #expect(queue.isEmpty)
  }

  @Test func movingOneDeadlineForEverKeepsTheQueueSmall() {
    var queue = DeadlineQueue<Int>()
    for turn in 0..<10_000 { queue.set(turn % 3, at: Instant(nanoseconds: Int64(turn))) }
    #expect(queue.count == 3)
    #expect(queue.pop(at: Instant(nanoseconds: 20_000)) == 9_997 % 3)
  }
}

@Suite struct TimeSpanTests {
  @Test(arguments: [
    (TimeSpan.seconds(2), "2s"), (.milliseconds(1_500), "1500ms"), (.seconds(3_600), "1h"), (.seconds(60), "1m"),
    (.zero, "0s"),
    (.nanoseconds(7), "7ns"),
  ])
  func spansAreWrittenInTheLargestExactUnit(span: TimeSpan, text: String) {
    #expect(span.description == text)
  }
}
