import Spool
import Testing
import Timekeeping

@testable import Forwarder

@Suite struct OutcomeTests {
  @Test func test_F17_onlyACompleteCreatedAcknowledges() {
    // Status, Retry-After, body, the least and the most that is waited in seconds.
    let cases: [(Int, String?, String, Double, Double)] = [
      (200, nil, "", 0, 0.5), (202, nil, "", 0, 0.5), (204, nil, "", 0, 0.5), (301, nil, "", 0, 0.5),
      (307, nil, "", 0, 0.5), (403, nil, "no role", 0, 0.5), (404, nil, "", 30, 30.5), (408, nil, "", 0, 0.5),
      (410, nil, "", 30, 30.5), (429, nil, "", 4, 4.5), (500, nil, "", 0, 0.5), (502, nil, "", 0, 0.5),
      (503, nil, "", 4, 4.5), (500, nil, "Error code : 50002. Please wait 4 seconds", 4, 4.5),
      (503, "1", "", 4, 4.5), (503, "17", "", 17, 17.5), (500, "2", "", 2, 2.5), (503, "86400", "", 30, 30.5),
      (503, "99999999999999999999999", "", 30, 30.5), (503, "soon", "", 4, 4.5), (503, "-1", "", 4, 4.5),
      (503, "Thu, 01 Jan 1970 00:00:09 GMT", "", 9, 9.5), (503, "Thu, 01 Jan 1970 00:10:00 GMT", "", 30, 30.5),
      (599, nil, "", 0, 0.5), (100, nil, "", 0, 0.5), (0, nil, "", 0, 0.5), (-7, nil, "", 0, 0.5),
    ]
    for (status, retryAfter, body, least, most) in cases {
      for seed: UInt64 in 1...5 {
        var rig = Rig(hub())
        rig.generator = Seeded(state: seed)
        rig.offer(records(1...3))
        rig.wait()
        rig.answer(status, retryAfter: retryAfter, body: body)
        #expect(rig.acknowledgedThrough == nil, "\(status)")
        #expect(rig.quarantined == [], "\(status)")
        #expect(rig.forwarder.status.consecutiveFailures == 1)
        #expect(rig.forwarder.status.lastError?.contains("\(status)") == true)
        let waited = Double(rig.wait().nanoseconds) / 1e9
        #expect(waited >= least && waited <= most, "\(status) \(retryAfter ?? "") waited \(waited)")
        #expect(rig.deliveries.count == 2)
        #expect(rig.deliveries[0].body == rig.deliveries[1].body)
        #expect(rig.deliveries[0].id != rig.deliveries[1].id)
        #expect(rig.deliveries[1].attempt == 2)
        rig.answer(201)
        #expect(rig.acknowledgedThrough == 3)
        #expect(rig.forwarder.status.consecutiveFailures == 0 && rig.forwarder.status.lastError == nil)
      }
    }
  }

  @Test func test_F16_lostAnswersSendTheSameBytesAgain() {
    let outcomes: [DeliveryOutcome] = [
      .notConnected(reason: "refused"), .ambiguous(reason: "reset"), .tlsRefused(reason: "expired"), .written,
    ]
    for outcome in outcomes {
      var rig = Rig(hub())
      rig.offer(records(1...3))
      rig.wait()
      rig.offer(records(4...9))
      rig.answer(outcome)
      rig.wait()
      #expect(rig.deliveries.count == 2 && rig.deliveries[0].body == rig.deliveries[1].body)
      #expect(rig.acknowledgedThrough == nil)
    }
  }

  @Test func waitsHaveFullJitterUnderADoublingCeiling() {
    var seen: [Int: ClosedRange<Int64>] = [:]
    for seed: UInt64 in 0..<200 {
      var rig = Rig(hub())
      rig.generator = Seeded(state: seed)
      rig.offer(records(1...1))
      rig.wait()
      for failure in 0..<8 {
        rig.answer(500)
        let span = rig.wait().milliseconds
        seen[failure] = min(seen[failure]?.lowerBound ?? span, span)...max(seen[failure]?.upperBound ?? span, span)
      }
    }
    for (failure, ceiling) in [500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000].enumerated() {
      let range = seen[failure] ?? 0...0
      #expect(range.upperBound <= ceiling && range.upperBound > Int64(ceiling) * 9 / 10, "\(failure)")
      #expect(range.lowerBound < Int64(ceiling) / 10, "\(failure)")
    }
  }

  @Test func silenceIsAbandonedAndItsLateAnswerIgnored() {
    var rig = Rig(hub())
    rig.offer(records(1...1))
    rig.wait()
    let first = rig.delivery?.id ?? 0
    #expect(rig.wait() == .seconds(10))
    #expect(rig.actions.last == .abandon(id: first))
    let late = rig.forwarder.delivered(
      first, .response(status: 201, retryAfter: nil, bodyPrefix: []), at: rig.now, using: &rig.generator)
    #expect(late == [])
    rig.wait()
    #expect(rig.deliveries.count == 2)
  }

  @Test func test_F10_onePoisonInTwoHundredIsFoundInFewRequests() {
    for poison in 1...200 {
      var rig = Rig(hub())
      rig.offer(records(1...200))
      rig.wait()
      var requests = 0
      while case .sending = rig.forwarder.state, requests < 500 {
        requests += 1
        let holdsPoison = holds(rig.delivery, poison)
        rig.answer(holdsPoison ? 400 : 201)
      }
      // 2 · log2(200) + 1
      #expect(requests <= 16, "poison \(poison)")
      #expect(rig.quarantined == [UInt64(poison)])
      #expect(rig.acknowledgedThrough == 200)
      #expect(rig.forwarder.status.acknowledgedCount == 199)
    }
  }

  @Test func manyPoisonsAreEachFoundAndNothingElse() {
    var generator = Seeded(state: 9)
    for _ in 0..<50 {
      let poisons = Set(
        (0..<Int.random(in: 2...7, using: &generator)).map { _ in Int.random(in: 1...60, using: &generator) })
      var rig = Rig(hub())
      rig.offer(records(1...60))
      rig.wait()
      var delivered: [Int] = []
      for _ in 0..<500 {
        guard case .sending = rig.forwarder.state else { break }
        let inside = (1...60).filter { holds(rig.delivery, $0) }
        let isBad = !poisons.isDisjoint(with: inside)
        if !isBad { delivered += inside }
        rig.answer(isBad ? 400 : 201)
      }
      #expect(Set(rig.quarantined) == Set(poisons.map { UInt64($0) }))
      #expect(delivered == (1...60).filter { !poisons.contains($0) })
      #expect(rig.acknowledgedThrough == 60)
    }
  }

  @Test func test_F11_tooLargeIsHalvedAndAcknowledgedPieceByPiece() {
    for (status, body) in [(413, ""), (403, "The message is Too Large for the hub")] {
      var rig = Rig(hub())
      rig.offer(records(1...8))
      rig.wait()
      rig.answer(status, body: body)
      #expect(rig.delivery?.count == 4)
      rig.answer(201)
      #expect(rig.acknowledgedThrough == 4)
      #expect(rig.delivery?.count == 4)
      rig.answer(201)
      #expect(rig.acknowledgedThrough == 8)
      #expect(rig.quarantined == [])
    }
  }

  @Test func hubThatRefusesEverythingDoesNotEmptyTheQueueIntoQuarantine() {
    var rig = Rig(hub())
    rig.offer(records(1...100))
    rig.wait()
    for _ in 0..<200 {
      guard case .sending = rig.forwarder.state else { break }
      rig.answer(400)
    }
    #expect(rig.quarantined.count == 8)
    #expect(rig.wait() >= .seconds(30))
    rig.answer(400)
    #expect(rig.quarantined.count == 9)
    // It changes its mind: nothing else is lost.
    for _ in 0..<300 {
      if rig.forwarder.isIdle { break }
      if case .sending = rig.forwarder.state { rig.answer(201) } else { rig.wait() }
    }
    #expect(rig.forwarder.status.acknowledgedCount == 91)
  }

  @Test func test_F12_refusedTokenIsReplacedOnceAndThenAtMostEachHalfMinute() {
    var rig = Rig(hub { $0.usesToken = true })
    rig.offer(records(1...1))
    rig.wait()
    #expect(rig.actions == [.needToken])
    rig.actions += rig.forwarder.tokenReady(at: rig.now)
    #expect(rig.deliveries.count == 1)
    rig.answer(401)
    #expect(rig.actions.suffix(2) == [.invalidateToken, .needToken])
    rig.actions += rig.forwarder.tokenReady(at: rig.now)
    #expect(rig.deliveries.count == 2, "the one immediate retry")
    // A storm: tokens are asked for thirty seconds apart, whatever the number of attempts.
    let start = rig.now.instant
    var invalidations = 0
    for _ in 0..<60 {
      let before = rig.actions.count
      if case .sending = rig.forwarder.state { rig.answer(401) } else { rig.wait() }
      for action in rig.actions[before...] where action == .invalidateToken {
        invalidations += 1
        rig.actions += rig.forwarder.tokenReady(at: rig.now)
      }
    }
    let seconds = (rig.now.instant - start).seconds
    #expect(rig.deliveries.count > 10)
    #expect(invalidations <= Int(seconds / 30) && invalidations > 0)
    #expect(rig.acknowledgedThrough == nil && rig.quarantined == [])
  }

  @Test func missingTokenIsAskedForAgain() {
    var rig = Rig(hub { $0.usesToken = true })
    rig.offer(records(1...1))
    rig.wait()
    rig.forwarder.tokenUnavailable(reason: "the file is empty")
    #expect(rig.forwarder.status.lastError == "no token: the file is empty")
    #expect(rig.wait() == .seconds(30))
    #expect(rig.actions == [.needToken, .needToken])
  }

  private func holds(_ delivery: Delivery?, _ sequence: Int) -> Bool {
    String(decoding: delivery?.body ?? [], as: UTF8.self).contains("SbxSeq\\\":\(sequence)}")
  }
}
