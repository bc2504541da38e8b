import Testing
import Timekeeping

@testable import Forwarder

/// A schedule that expectations may move on.
private final class Kept {
  private var schedule = TokenSchedule()

  var nextDeadline: Instant? { schedule.nextDeadline }
  var isUnderWay: Bool { schedule.isUnderWay }
  func isUsable(at now: Instant) -> Bool { schedule.isUsable(at: now) }
  func wanted(at now: Instant) -> Bool { schedule.wanted(at: now) }
  func deadlineReached(at now: Instant) -> TokenSchedule.Turn { schedule.deadlineReached(at: now) }
  func issued(lifetime: TimeSpan, at now: Instant) { schedule.issued(lifetime: lifetime, at: now) }
  func invalidate(at now: Instant) { schedule.invalidate(at: now) }
  func failed(retryAfter: TimeSpan?, at now: Instant, using generator: inout Seeded) {
    schedule.failed(retryAfter: retryAfter, at: now, using: &generator)
  }
}

@Suite struct TokenScheduleTests {
  private func at(_ seconds: Int64) -> Instant { Instant(nanoseconds: seconds * 1_000_000_000) }

  @Test func tokenIsRenewedAtHalfOfItsLifeAndUsedUntilAMinuteBeforeItsEnd() {
    let schedule = Kept()
    #expect(schedule.nextDeadline == nil && !schedule.isUsable(at: at(0)))
    #expect(schedule.wanted(at: at(0)))
    #expect(!schedule.wanted(at: at(1)), "one at a time")
    schedule.issued(lifetime: .seconds(3_600), at: at(5))
    #expect(schedule.isUsable(at: at(6)))
    #expect(!schedule.wanted(at: at(6)), "there is one")
    #expect(schedule.nextDeadline == at(1_800), "its life counts from when it was asked for")
    #expect(schedule.deadlineReached(at: at(1_799)) == .nothing)
    #expect(schedule.deadlineReached(at: at(1_800)) == .begin)
    #expect(schedule.isUsable(at: at(3_539)) && !schedule.isUsable(at: at(3_540)))
    #expect(schedule.nextDeadline == at(3_540))
    #expect(schedule.deadlineReached(at: at(3_540)) == .ended)
    #expect(schedule.isUnderWay)
    // The renewal under way comes at last.
    schedule.issued(lifetime: .seconds(3_600), at: at(3_550))
    #expect(schedule.isUsable(at: at(3_550)))
  }

  /// F14: the authority is down for an hour while there is a token for two.
  @Test func test_F14_authorityThatIsDownChangesNothingUntilTheTokenEnds() {
    var generator = Seeded(state: 3)
    let schedule = Kept()
    _ = schedule.wanted(at: at(0))
    schedule.issued(lifetime: .seconds(7_200), at: at(0))
    var exchanges = 0
    var ended: Instant?
    var last = at(0)
    while let due = schedule.nextDeadline, due < at(10_000) {
      switch schedule.deadlineReached(at: due) {
      case .begin:
        #expect(exchanges == 0 || due - last <= .seconds(30) + .seconds(1))
        exchanges += 1
        last = due
        schedule.failed(retryAfter: nil, at: due, using: &generator)
      case .ended: ended = due
      case .nothing: Issue.record("a deadline without a reason")
      }
      #expect(schedule.isUsable(at: due) == (due < at(7_140)))
    }
    #expect(ended == at(7_140))
    // From half of its life on, 15 to 30 s apart.
    #expect((6_400 / 31...6_400 / 14).contains(exchanges), "\(exchanges)")
  }

  @Test func waitsDoubleWithHalfAtRandomAndFollowTheAuthority() {
    var generator = Seeded(state: 1)
    for (asked, least, most) in [
      (nil as Int64?, 0.5, 1.0), (20, 20, 20), (4_000, 300, 300), (0, 0.5, 1.0),
    ] {
      let schedule = Kept()
      _ = schedule.wanted(at: at(0))
      schedule.failed(retryAfter: asked.map { .seconds($0) }, at: at(0), using: &generator)
      let wait = Double((schedule.nextDeadline.map { $0 - at(0) } ?? .zero).nanoseconds) / 1e9
      #expect(wait >= least && wait <= most, "\(asked ?? -1): \(wait)")
    }
    let schedule = Kept()
    _ = schedule.wanted(at: at(0))
    var now = at(0)
    for ceiling in [1, 2, 4, 8, 16, 30, 30, 30] as [Int64] {
      schedule.failed(retryAfter: nil, at: now, using: &generator)
      let due = schedule.nextDeadline ?? now
      #expect(due - now >= .seconds(ceiling) / 2 && due - now <= .seconds(ceiling))
      #expect(!schedule.wanted(at: now), "a storm of wishes does not hurry it")
      now = due
      #expect(schedule.deadlineReached(at: now) == .begin)
    }
  }

  @Test func tokenThatWasRefusedIsReplacedAtOnce() {
    var generator = Seeded(state: 2)
    let schedule = Kept()
    _ = schedule.wanted(at: at(0))
    schedule.issued(lifetime: .seconds(3_600), at: at(0))
    schedule.invalidate(at: at(10))
    #expect(!schedule.isUsable(at: at(10)))
    #expect(schedule.wanted(at: at(10)))
    schedule.invalidate(at: at(11))
    schedule.issued(lifetime: .seconds(3_600), at: at(12))
    #expect(schedule.isUsable(at: at(12)), "one that was on its way is another")
    // While the authority fails, its own waits hold.
    schedule.invalidate(at: at(20))
    _ = schedule.wanted(at: at(20))
    schedule.failed(retryAfter: .seconds(60), at: at(21), using: &generator)
    schedule.invalidate(at: at(22))
    #expect(!schedule.wanted(at: at(22)))
    #expect(schedule.nextDeadline == at(81))
  }

  @Test func shortTokenIsGivenUpAQuarterBeforeItsEnd() {
    let schedule = Kept()
    _ = schedule.wanted(at: at(0))
    schedule.issued(lifetime: .seconds(12), at: at(0))
    #expect(schedule.nextDeadline == at(6))
    #expect(schedule.isUsable(at: at(8)) && !schedule.isUsable(at: at(9)))
  }
}
