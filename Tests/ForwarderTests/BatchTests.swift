import Foundation
import Spool
import Testing
import Timekeeping

@testable import Forwarder

@Suite struct BatchTests {
  @Test func bodyIsAnArrayOfEventsWithThePropertiesInTheSameElement() throws {
    var rig = Rig(hub { $0.userProperties = [("SbxSandboxId", "a\"b")] })
    rig.offer(records(1...2))
    rig.wait()
    let text = String(decoding: rig.delivery?.body ?? [], as: UTF8.self)
    #expect(
      text == #"[{"Body":"{\"SbxSeq\":1}","UserProperties":{"SbxSandboxId":"a\"b"}},"#
        + #"{"Body":"{\"SbxSeq\":2}","UserProperties":{"SbxSandboxId":"a\"b"}}]"#)
    let parsed = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [[String: Any]]
    #expect(parsed?.count == 2)
    #expect(rig.delivery?.contentType == "application/vnd.microsoft.servicebus.json")
    #expect(rig.forwarder.settings.sink.target == "/audit/messages?timeout=60&api-version=2014-01")
  }

  @Test func recordsWaitForCompanyUntilTheInterval() {
    var rig = Rig(hub())
    rig.offer(records(1...1))
    #expect(rig.deliveries.isEmpty)
    rig.now.instant = rig.now.instant + .milliseconds(300)
    rig.offer(records(2...2))
    #expect(rig.wait() == .milliseconds(700))
    #expect(rig.delivery?.count == 2)
  }

  @Test func fullBatchLeavesAtOnceAndFitsTheBody() throws {
    var rig = Rig(hub { $0.bodyMax = 2000 })
    // Quotes double in the body.
    rig.offer(records(1...100) { "{\"SbxSeq\":\"\($0)\",\"\":\"\"}" })
    for _ in 0..<100 where rig.forwarder.status.acknowledgedCount < 100 {
      if rig.forwarder.isIdle { break }
      if case .sending = rig.forwarder.state { rig.answer(201) } else { rig.wait() }
    }
    #expect(rig.deliveries.count > 2)
    #expect(rig.deliveries.map(\.count).reduce(0, +) == 100)
    for delivery in rig.deliveries {
      #expect(delivery.body.count <= 2000)
      #expect(try JSONSerialization.jsonObject(with: Data(delivery.body)) is [[String: Any]])
    }
    for delivery in rig.deliveries.dropLast() { #expect(delivery.body.count > 1900) }
    #expect(rig.acknowledgedThrough == 100)
  }

  @Test func eventsInABatchAreBounded() {
    var rig = Rig(hub { $0.eventsMax = 3 })
    rig.offer(records(1...7))
    #expect(rig.delivery?.count == 3)
    rig.answer(201)
    #expect(rig.delivery?.count == 3)
    rig.answer(201)
    rig.wait()
    #expect(rig.delivery?.count == 1)
  }

  @Test func recordsTooLargeAreQuarantinedInTheirOrder() {
    var rig = Rig(hub { $0.eventMax = 50 })
    rig.offer(records(1...4) { $0 == 2 || $0 == 4 ? String(repeating: "x", count: 51) : "{}" })
    rig.wait()
    #expect(rig.delivery?.count == 1)
    #expect(rig.quarantined == [])
    rig.answer(201)
    #expect(rig.quarantined == [2])
    #expect(rig.acknowledgedThrough == 2)
    rig.answer(201)
    #expect(rig.quarantined == [2, 4])
    #expect(rig.acknowledgedThrough == 4)
    #expect(rig.forwarder.isIdle)
  }

  @Test func recordThatEscapingMakesTooLargeIsQuarantined() {
    var rig = Rig(hub { $0.bodyMax = 100 })
    rig.offer(records(1...1) { _ in String(repeating: "\"", count: 60) })
    rig.wait()
    #expect(rig.quarantined == [1])
    #expect(rig.deliveries.isEmpty)
  }

  @Test func wantsUpToTwoBatches() {
    var rig = Rig(hub { $0.bodyMax = 1000 })
    #expect(rig.forwarder.wants() == 2000)
    rig.offer(records(1...200))
    #expect(rig.forwarder.wants() == 0)
  }

  @Test func linesAreTheRecordsThemselves() {
    var rig = Rig(ForwarderSettings(sink: .lines))
    rig.offer(records(1...2))
    rig.wait()
    #expect(rig.delivery?.body == Array("{\"SbxSeq\":1}\n{\"SbxSeq\":2}\n".utf8))
    rig.answer(.notConnected(reason: "ENOSPC"))
    #expect(rig.acknowledgedThrough == nil)
    rig.wait()
    rig.answer(.written)
    #expect(rig.acknowledgedThrough == 2)
    #expect(rig.deliveries[0].body == rig.deliveries[1].body)
  }

  @Test func drainSendsWhatLingersAndWhatWaits() {
    var rig = Rig(hub())
    rig.offer(records(1...1))
    rig.actions += rig.forwarder.drain(at: rig.now)
    #expect(rig.deliveries.count == 1)
    rig.answer(500)
    rig.actions += rig.forwarder.drain(at: rig.now)
    #expect(rig.deliveries.count == 2)
  }
}
