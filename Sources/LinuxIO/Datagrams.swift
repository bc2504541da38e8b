import Addressing
import CLinux

/// A datagram that came.
package struct Datagram: Sendable, Hashable {
  package var bytes: [UInt8]
  /// Who sent it.
  package var peer: Endpoint
  /// It was longer than a slot, and cut.
  package var isTruncated: Bool

  package init(bytes: [UInt8], peer: Endpoint, isTruncated: Bool = false) {
    self.bytes = bytes
    self.peer = peer
    self.isTruncated = isTruncated
  }
}

/// The memory that `UDPSocket.receive` reads into: one for the whole loop, whatever the number of sockets. Safe,
/// because `memory` is private, lives as long as the object, and is read only where the kernel said it wrote.
@safe package final class InboundDatagrams {
  /// One recvmmsg takes at most these; beyond 64 nothing was gained (research: 32 and 64 alike).
  package static let capacity = Int(CLINUX_BATCH)
  /// Octets of a slot: EDNS sizes in use are 512 to 4,096 (RFC 6891 §6.2.5).
  package static let octetsEach = 4_096

  /// The datagrams of the last receive: `0 ..< count` are valid. Their arrays are used again by the next receive unless
  /// someone kept them.
  package private(set) var datagrams: [Datagram] = []
  package private(set) var count = 0

  private let memory: UnsafeMutablePointer<UInt8>
  private var slots = [clinux_datagram](repeating: clinux_datagram(), count: InboundDatagrams.capacity)

  package init() {
    // Pages that no datagram reached stay untouched, so 256 KiB cost what is used of them.
    unsafe memory = .allocate(capacity: InboundDatagrams.capacity * InboundDatagrams.octetsEach)
    datagrams.reserveCapacity(InboundDatagrams.capacity)
  }

  deinit { unsafe memory.deallocate() }

  package subscript(index: Int) -> Datagram {
    precondition(index < count)
    return datagrams[index]
  }

  func receive(from number: Int32) throws(Errno) -> Int {
    count = 0
    let received = try retryingUnlessBlocked("recvmmsg") {
      unsafe clinux_receive_batch(
        number, memory, UInt32(InboundDatagrams.octetsEach), &slots, Int32(InboundDatagrams.capacity))
    }
    for index in 0..<Int(received ?? 0) {
      let slot = slots[index]
      guard let peer = slot.peer.endpoint else { continue }
      // The kernel wrote `length` octets, at most `octetsEach`, into the slot's part of `memory`.
      let bytes = unsafe UnsafeBufferPointer(start: memory + Int(slot.offset), count: Int(slot.length))
      unsafe put(bytes, peer, slot.truncated != 0)
    }
    return count
  }

  private func put(_ bytes: UnsafeBufferPointer<UInt8>, _ peer: Endpoint, _ isTruncated: Bool) {
    if count < datagrams.count {
      datagrams[count].bytes.removeAll(keepingCapacity: true)
      unsafe datagrams[count].bytes.append(contentsOf: bytes)
      datagrams[count].peer = peer
      datagrams[count].isTruncated = isTruncated
    } else {
      datagrams.append(Datagram(bytes: unsafe Array(bytes), peer: peer, isTruncated: isTruncated))
    }
    count += 1
  }
}

/// Datagrams that wait to be sent through one socket with one call. Several to one peer of one length go through the
/// kernel in one piece, which is cut where it arrives or at the network card: most of a datagram's cost is its way.
package final class OutboundDatagrams {
  /// One sendmmsg takes at most these.
  package static let capacity = Int(CLINUX_BATCH)
  /// Octets of a datagram that may go in a piece with others: a piece must fit the path's MTU without fragments, and
  /// every IPv6 path takes 1,280 with 48 of headers.
  package static let groupedOctetsMax = 1_232
  /// Octets of one piece: what the length of a UDP datagram can say (RFC 768), less its headers.
  static let pieceOctetsMax = 65_000

  package private(set) var count = 0

  private var memory: [UInt8] = []
  private var slots = [clinux_datagram](repeating: clinux_datagram(), count: OutboundDatagrams.capacity)
  private var first = 0
  /// How many of the datagrams from `first` on each message holds.
  private var runs: [UInt8] = []
  /// The network card cannot cut (no checksum offload, EIO): every datagram goes alone.
  private var isNeverGrouped = false

  package init() {
    memory.reserveCapacity(OutboundDatagrams.capacity * 512)
    runs.reserveCapacity(OutboundDatagrams.capacity)
  }

  package var isEmpty: Bool { count == first }
  package var isFull: Bool { count == OutboundDatagrams.capacity }

  /// `peer` nil: to the peer the socket is connected to. Sends nothing yet; the batch must not be full.
  package func append(_ bytes: [UInt8], to peer: Endpoint?) {
    precondition(!isFull, "send before appending to a full batch")
    slots[count] = clinux_datagram(
      peer: peer.map { clinux_endpoint($0) } ?? clinux_endpoint(), offset: UInt32(memory.count),
      length: UInt32(bytes.count), truncated: 0)
    memory.append(contentsOf: bytes)
    count += 1
  }

  package func removeAll() {
    first = 0
    count = 0
    memory.removeAll(keepingCapacity: true)
  }

  /// Sends what is there; datagrams to one peer may change places. A message the kernel refuses twice is dropped and
  /// counted when it is one datagram, and sent as single ones when it is several: one bad peer must not hold the
  /// others. The first error may be that of an earlier datagram, which the kernel tells at the next call whatever it is.
  func send(through number: Int32) -> UDPSocket.SendOutcome {
    var outcome = UDPSocket.SendOutcome()
    var tried: Int?
    var run = 0
    group(isNeverGrouped)
    while first < count {
      do throws(Errno) {
        let sent = try retryingUnlessBlocked("sendmmsg") { sendFrom(first, run, number) }
        guard let sent else {
          outcome.isBlocked = true
          return outcome
        }
        for _ in 0..<Int(sent) {
          outcome.sent += Int(runs[run])
          first += Int(runs[run])
          run += 1
        }
      } catch {
        guard tried == first else {
          tried = first
          continue
        }
        if runs[run] > 1 {
          isNeverGrouped = isNeverGrouped || error == .inputOutput
          group(true)
          run = 0
          tried = nil
          continue
        }
        outcome.refused += 1
        outcome.lastError = error
        first += 1
        run += 1
      }
    }
    removeAll()
    return outcome
  }

  /// Puts together what may leave in one message: one peer, one length, and behind them one that is shorter.
  private func group(_ isSingle: Bool) {
    runs.removeAll(keepingCapacity: true)
    guard !isSingle, count - first > 1 else {
      runs.append(contentsOf: repeatElement(1, count: count - first))
      return
    }
    slots[first..<count].sort { $0.isBefore($1) }
    var start = first
    while start < count {
      let length = slots[start].length
      let isGrouped = (1...Self.groupedOctetsMax).contains(Int(length))
      let endMax = min(count, start + (isGrouped ? Self.pieceOctetsMax / Int(length) : 1))
      var end = start + 1
      while end < endMax, slots[end - 1].length == length, slots[end].length > 0,
        slots[end].hasPeer(of: slots[start])
      {
        end += 1
      }
      runs.append(UInt8(end - start))
      start = end
    }
  }

  private func sendFrom(_ start: Int, _ run: Int, _ number: Int32) -> Int32 {
    unsafe memory.withUnsafeMutableBufferPointer { octets in
      unsafe slots.withUnsafeMutableBufferPointer { slots in
        unsafe runs.withUnsafeBufferPointer { runs in
          // Offsets and lengths were made by `append` from the same `memory`; `start` < `count` <= capacity, and the
          // runs from `run` on add up to `count - start`.
          guard let slots = slots.baseAddress, let runs = runs.baseAddress else { return 0 }
          return unsafe clinux_send_batch(
            number, octets.baseAddress, slots + start, runs + run, Int32(self.runs.count - run))
        }
      }
    }
  }
}

extension clinux_datagram {
  fileprivate func hasPeer(of other: clinux_datagram) -> Bool {
    peer.low == other.peer.low && peer.port == other.peer.port && peer.high == other.peer.high
      && peer.family == other.peer.family
  }

  /// By peer, then the longest first.
  fileprivate func isBefore(_ other: clinux_datagram) -> Bool {
    if peer.port != other.peer.port { return peer.port < other.peer.port }
    if peer.low != other.peer.low { return peer.low < other.peer.low }
    if peer.high != other.peer.high { return peer.high < other.peer.high }
    if peer.family != other.peer.family { return peer.family < other.peer.family }
    return length > other.length
  }
}
