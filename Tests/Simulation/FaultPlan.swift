import Timekeeping

/// Which faults a run has and how likely each is, in thousandths. Most runs have some of them and few have all: faults hide each other.
package struct FaultPlan: Hashable, Sendable {
  // The kernel.
  package var commitRefused = 0
  package var commitSlow = 0
  package var conntrackLost = 0
  // Upstream.
  package var answerLost = 0
  package var answerDuplicated = 0
  package var answerLies = 0
  package var answerTruncated = 0
  package var answerFails = 0
  // The disk.
  package var writeFails = 0
  package var syncFails = 0
  package var keepFails = 0
  package var diskSlow = 0
  // The hub.
  package var hubUnavailable = 0
  package var hubUnauthorized = 0
  package var hubResets = 0
  package var hubSilent = 0
  package var hubUnreachable = 0
  package var hubPoison = 0
  // The token endpoint.
  package var exchangeFails = 0
  // Life.
  package var daemonCrash = 0
  package var machineCrash = 0
  package var stop = 0

  package init() {}

  /// Draws a plan: each fault exists in about a third of the runs.
  package init(using generator: inout SeededGenerator) {
    func draw(_ max: Int) -> Int { generator.chance(330) ? generator.number(1...max) : 0 }
    commitRefused = draw(150)
    commitSlow = draw(500)
    conntrackLost = draw(150)
    answerLost = draw(300)
    answerDuplicated = draw(300)
    answerLies = draw(300)
    answerTruncated = draw(300)
    answerFails = draw(200)
    writeFails = draw(100)
    syncFails = draw(100)
    keepFails = draw(300)
    diskSlow = draw(500)
    hubUnavailable = draw(500)
    hubUnauthorized = draw(200)
    hubResets = draw(400)
    hubSilent = draw(200)
    hubUnreachable = draw(300)
    hubPoison = draw(60)
    daemonCrash = draw(12)
    machineCrash = draw(8)
    stop = draw(6)
    exchangeFails = draw(500)
  }

  /// How late a slow commit is at most. What the model knows of the kernel's timers is uncertain by this.
  static let commitDelayMax = TimeSpan.milliseconds(400)
}

/// What is configured, not what fails.
package struct RunOptions: Hashable, Sendable {
  package var failsClosed = true
  package var auditLease: TimeSpan?
  package var isStrict = false
  package var cacheIsEnabled = true
  package var owner: Owner = .bound
  package var spoolBytesMax = 1 << 20
  package var hubIsNamed = true
  package var usesToken = false
  /// 0: the defaults.
  package var leasesMax = 0
  package var grace = TimeSpan.seconds(5)
  package var hasSecondSink = false
  /// Tokens are exchanged at an authority instead of being at hand.
  package var usesAuthority = false

  package enum Owner: Hashable, Sendable {
    case bound, unboundAndRequired, unboundAndOptional
  }

  package init() {}

  package init(using generator: inout SeededGenerator) {
    failsClosed = generator.chance(600)
    auditLease = generator.chance(200) ? .seconds(Int64(generator.number(5...40))) : nil
    isStrict = generator.chance(300)
    cacheIsEnabled = generator.chance(600)
    owner = generator.chance(900) ? .bound : generator.chance(500) ? .unboundAndOptional : .unboundAndRequired
    spoolBytesMax = generator.pick([64 << 10, 256 << 10, 4 << 20])
    hubIsNamed = generator.chance(700)
    usesToken = generator.chance(300)
    leasesMax = generator.chance(200) ? generator.number(2...8) : 0
    grace = .seconds(Int64(generator.pick([0, 2, 10])))
    hasSecondSink = generator.chance(300)
    usesAuthority = usesToken && generator.chance(600)
  }
}

/// A bug planted outside the production code, for the tests of the tests.
package enum Sabotage: Hashable, Sendable, CaseIterable {
  /// The machine is told of a commit's success before the kernel has seen it.
  case commitClaimedEarly
  /// The machine is told that a record is written before it is.
  case writeClaimedEarly
  /// The kernel forgets to destroy what it is told to destroy.
  case destroyIgnored
  /// Live flows are not cut.
  case cutIgnored
  /// The disk loses a segment when the daemon dies.
  case segmentForgotten
  /// The hub says 201 and keeps nothing.
  case hubForgets
  /// Every reply is sent twice.
  case replyRepeated
  /// A lease never ends in the kernel.
  case timeoutIgnored
}
