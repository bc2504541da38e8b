import Addressing
import LinuxIO
import Testing
import Timekeeping

@Suite struct TCPStreamTests {
  private func connected() throws -> (client: TCPStream, server: TCPStream) {
    let listener = try TCPListener(try #require(Endpoint("127.0.0.1:0")))
    let poll = try EventPoll()
    try poll.register(listener.number, token: 1, interest: .read)
    #expect(try listener.accept() == nil)
    let client = try TCPStream.connecting(to: try listener.localEndpoint())
    #expect(try client.waitUntil(.write, deadline: SystemTime.instant() + .seconds(30)))
    #expect(client.connectError() == nil)
    _ = try #require(try waitFor(poll, 1))
    let server = try #require(try listener.accept())
    #expect(server.peer == (try client.localEndpoint()))
    return (client, server)
  }

  private func read(_ stream: TCPStream, _ buffer: inout [UInt8]) throws -> TCPStream.ReadOutcome {
    #expect(try stream.waitUntil(.read, deadline: SystemTime.instant() + .seconds(30)))
    return try stream.read(into: &buffer)
  }

  @Test func octetsThenEnd() throws {
    let (client, server) = try connected()
    var buffer: [UInt8] = [0xff]
    #expect(try server.read(into: &buffer) == .wouldBlock)
    #expect(try client.write([9, 1, 2, 3], from: 1) == 3)
    #expect(try read(server, &buffer) == .octets(3))
    #expect(buffer == [0xff, 1, 2, 3])
    client.finishWriting()
    #expect(try read(server, &buffer) == .end)
    #expect(try server.write([7]) == 1)
    #expect(try read(client, &buffer) == .octets(1))
  }

  @Test func fullBufferTakesAPartAndThenNothing() throws {
    let (client, server) = try connected()
    let block = [UInt8](repeating: 3, count: 1 << 20)
    var taken = 0
    while let count = try client.write(block) { taken += count }
    #expect(taken > 0)
    var buffer: [UInt8] = []
    while buffer.count < taken { _ = try read(server, &buffer) }
    #expect(buffer.count == taken)
  }

  @Test func resetIsAnError() throws {
    let client = try {
      let (client, server) = try connected()
      server.resetOnClose()
      return client
    }()
    var buffer: [UInt8] = []
    #expect(throws: Errno.connectionReset) { try read(client, &buffer) }
  }

  @Test func nobodyListeningIsRefused() throws {
    let closed = try TCPListener(try #require(Endpoint("127.0.0.1:0"))).localEndpoint()
    let stream: TCPStream
    do throws(Errno) {
      stream = try TCPStream.connecting(to: closed)
    } catch {
      #expect(error == .connectionRefused)
      return
    }
    #expect(try stream.waitUntil(.write, deadline: SystemTime.instant() + .seconds(30)))
    #expect(stream.connectError() == .connectionRefused)
  }

  @Test func deadlineThatPassedIsFalse() throws {
    let (client, _) = try connected()
    #expect(try !client.waitUntil(.read, deadline: SystemTime.instant() - .seconds(1)))
  }
}
