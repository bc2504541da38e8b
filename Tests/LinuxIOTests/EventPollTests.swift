import Foundation
import LinuxIO
import Testing
import Timekeeping

@Suite struct EventPollTests {
  @Test func nothingReadyEndsWithTheTimeout() throws {
    let poll = try EventPoll()
    let wakeup = try WakeupDescriptor()
    try poll.register(wakeup.number, token: 7, interest: .read)
    #expect(try poll.wait(timeout: .zero).isEmpty)
    #expect(try poll.wait(timeout: .milliseconds(2)).isEmpty)
  }

  @Test func theTokenComesBackWhole() throws {
    let poll = try EventPoll()
    let wakeup = try WakeupDescriptor()
    try poll.register(wakeup.number, token: UInt64.max, interest: .read)
    wakeup.signal()
    wakeup.signal()
    let event = try #require(try poll.wait(timeout: nil).first)
    #expect(event.token == .max && event.readable && !event.writable && !event.hangup)
    wakeup.drain()
    #expect(try poll.wait(timeout: .zero).isEmpty)
  }

  @Test func withoutInterestNothingIsTold() throws {
    let poll = try EventPoll()
    let wakeup = try WakeupDescriptor()
    try poll.register(wakeup.number, token: 1, interest: .read)
    wakeup.signal()
    try poll.modify(wakeup.number, token: 1, interest: .none)
    #expect(try poll.wait(timeout: .zero).isEmpty)
    try poll.modify(wakeup.number, token: 2, interest: [.read, .write])
    let event = try #require(try poll.wait(timeout: .zero).first)
    #expect(event.token == 2 && event.readable && event.writable)
    try poll.remove(wakeup.number)
    #expect(try poll.wait(timeout: .zero).isEmpty)
  }

  @Test func registeringTwiceIsAnError() throws {
    let poll = try EventPoll()
    let wakeup = try WakeupDescriptor()
    try poll.register(wakeup.number, token: 1, interest: .read)
    #expect(throws: Errno.exists) { try poll.register(wakeup.number, token: 2, interest: .read) }
  }

  @Test func descriptorIsClosedWithItsOwner() throws {
    var ends: [Int32] = [0, 0]
    #expect(unsafe pipe(&ends) == 0)
    func own(_ number: Int32) { _ = FileDescriptor(owning: number) }
    own(ends[1])
    var octet: UInt8 = 0
    // End of file, and not a wait: nobody holds the writing end.
    #expect(unsafe read(ends[0], &octet, 1) == 0)
    close(ends[0])
  }

  @Test func errorsAreEqualByCodeAndSpeak() {
    let error = Errno(ENOSPC, "write /x")
    #expect(error == Errno.noSpace)
    #expect(error.description == "write /x: No space left on device (ENOSPC)")
    #expect(Errno(4_095).name == "errno 4095")
  }
}
