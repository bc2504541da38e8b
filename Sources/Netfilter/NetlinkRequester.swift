import CNetlink
import Glibc

/// A socket for requests that are answered one by one or with a dump, outside of batches.
struct NetlinkRequester: ~Copyable {
  /// How often a dump is started again because the table changed under it. A busy data path changes it every millisecond.
  static let dumpAttemptsMax = 16

  /// Answers come while we read them: the kernel goes on with a dump only when there is room.
  static let receiveBufferSize: Int32 = 1 << 20

  private let socket: NetlinkSocket
  private var answer = [UInt8](repeating: 0, count: NetlinkSocket.datagramSizeMax)
  private var writer = MessageWriter()
  private var sequence: UInt32 = 0

  /// Called for each message of an answer.
  typealias Reader = (NetlinkMessage, borrowing Span<UInt8>) -> Void

  static func open(bus: Int32 = NETLINK_NETFILTER) throws(NetlinkError) -> NetlinkRequester {
    NetlinkRequester(socket: try NetlinkSocket.open(bus: bus, receiveBufferSize: receiveBufferSize))
  }

  private init(socket: consuming NetlinkSocket) { self.socket = socket }

  /// One request with an acknowledgement behind the answer.
  mutating func exchange(
    _ type: UInt16, family: UInt8, operation: String, _ compose: (inout MessageWriter) -> Void, each: Reader
  ) throws(NetlinkError) {
    begin(type, NetlinkHeader.request | NetlinkHeader.acknowledge, family)
    compose(&writer)
    writer.endMessage()
    try send(operation)
    _ = try receive(operation, each: each)
  }

  /// A dump, started again (`restart`) as long as it was interrupted by a change.
  mutating func dump(
    _ type: UInt16, family: UInt8, operation: String, _ compose: (inout MessageWriter) -> Void, restart: () -> Void,
    each: Reader
  ) throws(NetlinkError) {
    for _ in 0..<Self.dumpAttemptsMax {
      restart()
      begin(type, NetlinkHeader.request | NetlinkHeader.dump, family)
      compose(&writer)
      writer.endMessage()
      try send(operation)
      if try receive(operation, each: each) { return }
    }
    throw .interrupted(operation: operation)
  }

  /// Many requests of which only failures are of interest: sends them in one datagram, with an acknowledgement of the last.
  /// `failed` is called with the index and the errno.
  mutating func exchangeMany(
    count: Int, _ type: UInt16, operation: String, compose: (Int, inout MessageWriter) -> UInt8,
    failed: (Int, Int32) -> Void
  ) throws(NetlinkError) {
    guard count > 0 else { return }
    writer.removeAll()
    let first = sequence &+ 1
    for index in 0..<count {
      sequence &+= 1
      let flags = index == count - 1 ? NetlinkHeader.request | NetlinkHeader.acknowledge : NetlinkHeader.request
      writer.beginMessage(type: type, flags: flags, sequence: sequence, family: 0)
      writer.setFamily(compose(index, &writer))
      writer.endMessage()
    }
    try send(operation)
    while true {
      let length = try receiveDatagram(operation)
      var offset = 0
      while let message = NetlinkMessage.read(at: &offset, in: answer.span, end: length) {
        let index = Int(message.sequence &- first)
        guard message.type == NetlinkHeader.errorType, index < count, let code = message.errorCode(in: answer.span)
        else { continue }
        if code != 0 { failed(index, code) }
        if index == count - 1 { return }
      }
    }
  }

  private mutating func begin(_ type: UInt16, _ flags: UInt16, _ family: UInt8) {
    sequence &+= 1
    writer.removeAll()
    writer.beginMessage(type: type, flags: flags, sequence: sequence, family: family)
  }

  private func send(_ operation: String) throws(NetlinkError) {
    let code = socket.send(writer.bytes)
    if code != 0 { throw .failed(operation: operation, code: code) }
  }

  private mutating func receiveDatagram(_ operation: String) throws(NetlinkError) -> Int {
    switch socket.receive(into: &answer, waits: true) {
    case .datagram(let length): return length
    case .failed(code: EAGAIN): throw .timedOut(operation: operation)
    case .failed(let code): throw .failed(operation: operation, code: code)
    }
  }

  /// Reads until the acknowledgement or the end of the dump. False when the dump was interrupted.
  private mutating func receive(_ operation: String, each: Reader) throws(NetlinkError) -> Bool {
    var isWhole = true
    while true {
      let length = try receiveDatagram(operation)
      var offset = 0
      while let message = NetlinkMessage.read(at: &offset, in: answer.span, end: length) {
        guard message.sequence == sequence else { continue }
        if message.flags & NetlinkHeader.dumpInterrupted != 0 { isWhole = false }
        switch message.type {
        case NetlinkHeader.errorType, NetlinkHeader.doneType:
          let code = message.errorCode(in: answer.span) ?? EBADMSG
          if code != 0 { throw .failed(operation: operation, code: code) }
          return isWhole
        default: each(message, answer.span)
        }
      }
    }
  }
}
