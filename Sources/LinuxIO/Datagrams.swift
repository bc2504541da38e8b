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

/// Datagrams that wait to be sent through one socket with one call.
package final class OutboundDatagrams {
  /// One sendmmsg takes at most these.
  package static let capacity = Int(CLINUX_BATCH)

  package private(set) var count = 0

  private var memory: [UInt8] = []
  private var slots = [clinux_datagram](repeating: clinux_datagram(), count: OutboundDatagrams.capacity)
  private var first = 0

  package init() { memory.reserveCapacity(OutboundDatagrams.capacity * 512) }

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

  /// Sends what is there, in order. A datagram the kernel refuses twice is dropped and counted: one bad peer must not
  /// hold the others. The first error may be that of an earlier datagram, which the kernel tells at the next call
  /// whatever it is.
  func send(through number: Int32) -> UDPSocket.SendOutcome {
    var outcome = UDPSocket.SendOutcome()
    var tried: Int?
    while first < count {
      do throws(Errno) {
        let sent = try retryingUnlessBlocked("sendmmsg") { sendFrom(first, number) }
        guard let sent else {
          outcome.isBlocked = true
          return outcome
        }
        outcome.sent += Int(sent)
        first += Int(sent)
      } catch {
        guard tried == first else {
          tried = first
          continue
        }
        outcome.refused += 1
        outcome.lastError = error
        first += 1
      }
    }
    removeAll()
    return outcome
  }

  private func sendFrom(_ start: Int, _ number: Int32) -> Int32 {
    unsafe memory.withUnsafeMutableBufferPointer { octets in
      unsafe slots.withUnsafeMutableBufferPointer { slots in
        // Offsets and lengths were made by `append` from the same `memory`; `start` < `count` <= capacity.
        guard let slots = slots.baseAddress else { return 0 }
        return unsafe clinux_send_batch(number, octets.baseAddress, slots + start, Int32(count - start))
      }
    }
  }
}
