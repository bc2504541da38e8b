import LinuxIO
import Synchronization
import Testing
import Timekeeping

@Suite struct WorkerThreadTests {
  @Test func resultsComeInTheOrderOfTheirJobs() throws {
    let worker = try WorkerThread<Int, Int>(name: "test") { $0 * 2 }
    let poll = try EventPoll()
    try poll.register(worker.wakeup.number, token: 1, interest: .read)
    for job in 0..<1_000 { worker.submit(job) }
    var outputs: [Int] = []
    while outputs.count < 1_000 {
      _ = try #require(try waitFor(poll, 1))
      outputs += worker.takeOutputs()
    }
    #expect(outputs == (0..<1_000).map { $0 * 2 })
    #expect(worker.waiting == 0)
    worker.stop(wait: true)
  }

  @Test func whatWasSubmittedIsDoneBeforeTheEnd() throws {
    let worker = try WorkerThread<Int, Int>(name: "test") { $0 }
    for job in 0..<1_000 { worker.submit(job) }
    #expect(worker.finish(within: .seconds(60)))
    #expect(worker.takeOutputs().count == 1_000)
  }

  @Test func anEndThatTakesTooLongIsNotWaitedFor() throws {
    let gate = Mutex(0)
    let worker = try WorkerThread<Int, Int>(name: "test") { job in gate.withLock { _ in job } }
    gate.withLock { _ in
      worker.submit(1)
      #expect(!worker.finish(within: .milliseconds(5)))
    }
    #expect(worker.finish(within: .seconds(60)))
  }

  @Test func nothingBeginsAfterStop() throws {
    let begun = Mutex(0)
    let worker = try WorkerThread<Int, Int>(name: "test") { job in
      begun.withLock { $0 += 1 }
      return job
    }
    worker.stop(wait: true)
    worker.submit(1)
    #expect(begun.withLock { $0 } == 0)
    #expect(worker.takeOutputs().isEmpty)
  }
}
