import Foundation
import LinuxIO
import Testing
import Timekeeping

@Suite(.serialized) struct ProcessTests {
  @Test(.enabled(if: ProcessIdentity.effectiveUser == 0)) func rootIsGivenUpForGood() throws {
    let status = try inChild {
      do throws(ProcessIdentity.DropFailure) {
        try ProcessIdentity.drop(to: 65_532, keeping: [.networkAdministration])
      } catch {
        try? StandardStreams.error.write("\(error)\n")
        return 10
      }
      if ProcessIdentity.effectiveUser != 65_532 { return 11 }
      if !ProcessIdentity.has(.networkAdministration) { return 12 }
      if ProcessIdentity.has(.setUser) { return 13 }
      if seteuid(0) == 0 { return 14 }
      if (try? File(reading: "/etc/shadow")) != nil { return 15 }
      // Still ours to read, although the process is not dumpable any more.
      if ProcessIdentity.proportionalMemory() == nil { return 16 }
      return 0
    }
    #expect(status == 0)
  }

  @Test(.enabled(if: ProcessIdentity.effectiveUser == 0)) func privilegesAreNotGivenUpByHalves() throws {
    let status = try inChild {
      guard (try? startThread(name: "other", { sleep(60) })) != nil else { return 10 }
      do throws(ProcessIdentity.DropFailure) {
        try ProcessIdentity.drop(to: 65_532, keeping: [])
      } catch {
        return error == .severalThreads(2) && ProcessIdentity.effectiveUser == 0 ? 0 : 11
      }
      return 12
    }
    #expect(status == 0)
  }

  @Test func signalsBecomeReadiness() throws {
    let status = try inChild {
      guard let signals = try? SignalDescriptor(), let poll = try? EventPoll(),
        (try? poll.register(signals.number, token: 5, interest: .read)) != nil
      else { return 10 }
      kill(getpid(), SIGHUP)
      kill(getpid(), SIGTERM)
      guard (try? poll.wait(timeout: .seconds(30)).first?.token) == 5 else { return 11 }
      // Of two pending signals the lower number comes first.
      guard (try? signals.next()) == .hangUp, (try? signals.next()) == .terminate else { return 12 }
      if case .some(.some) = try? signals.next() { return 13 }
      return 0
    }
    #expect(status == 0)
  }

  @Test func readerThatDoesNotReadCostsThePatienceAndNoMore() throws {
    let status = try inChild {
      var ends: [Int32] = [0, 0]
      guard unsafe pipe(&ends) == 0, dup2(ends[1], 1) == 1 else { return 10 }
      let much = [UInt8](repeating: 0x61, count: 1 << 20)
      do throws(Errno) {
        try StandardStreams.output.write(much, patience: .milliseconds(20))
      } catch {
        return error.code == EAGAIN ? 0 : 11
      }
      return 12
    }
    #expect(status == 0)
  }

  @Test func environmentIsWhatFoundationSees() {
    let ours = ProcessEnvironment.all()
    #expect(ours["PATH"] == ProcessInfo.processInfo.environment["PATH"])
    #expect(!ours.isEmpty)
  }

  @Test func hostNameAndMemory() {
    #expect(!ProcessIdentity.hostName().isEmpty)
    #expect((ProcessIdentity.proportionalMemory() ?? 0) > 1 << 20)
  }

  @Test func clocksGoForward() {
    let first = SystemTime.now()
    let second = SystemTime.now()
    #expect(second.instant >= first.instant)
    #expect(first.wall.description.hasPrefix("2"))
  }

  @Test func randomNumbersDoNotRepeat() {
    var generator = SystemRandom()
    var copy = Set<UInt64>()
    for _ in 0..<1_000 { copy.insert(generator.next()) }
    #expect(copy.count == 1_000)
    #expect(SystemRandom.bytes(1_000).count == 1_000)
    #expect(SystemRandom.bytes(32) != SystemRandom.bytes(32))
  }
}
