import CNetlink
import Firewall
import Glibc

/// Commits transactions to `table inet sallyport` and reads it back. Not for two threads at once.
package final class NftablesSocket {
  /// The answers to one batch are a few hundred octets each, and only failed messages have more than one.
  static let receiveBufferSize: Int32 = 1 << 20

  /// How often a transaction is tried again on a kernel before 6.3 when elements came or went between reading and committing.
  static let attemptsMax = 4

  let table: String
  /// For what is read back, apart from the batches.
  var requests: NetlinkRequester
  private let socket: NetlinkSocket
  private var answer = [UInt8](repeating: 0, count: NetlinkSocket.datagramSizeMax)
  private var nextSequence: UInt32 = 1
  private let scratch = LibnftnlMessage()
  private var storage = NftablesBatch.Storage()
  /// Whether the kernel has NFT_MSG_DESTROYSETELEM (from 6.3 on).
  private var destroysElements = false

  /// By which the kernel's messages name what this socket committed.
  var port: UInt32 { socket.port }

  /// Opens a socket in the network namespace of the calling thread.
  package convenience init(table: String = "sallyport") throws(NetlinkError) {
    try self.init(table: table, triesDestroy: true)
  }

  /// Without `triesDestroy` it works as on a kernel before 6.3.
  init(table: String, triesDestroy: Bool) throws(NetlinkError) {
    self.table = table
    socket = try NetlinkSocket.open(receiveBufferSize: Self.receiveBufferSize)
    requests = try NetlinkRequester.open()
    if triesDestroy { destroysElements = probeDestroy() }
  }

  /// Applies every change or none, and waits for the kernel's word on it.
  package func commit(_ transaction: KernelTransaction) -> CommitOutcome {
    guard !destroysElements else { return attempt(transaction, removal: .destroy) }
    var outcome = attempt(transaction, removal: .addAndDelete)
    for _ in 1..<Self.attemptsMax {
      // An element stood there with another mark, no mark was given for a map (EINVAL), or an element went while we looked: read what
      // is there, and delete just that.
      guard case .refused(let refusal) = outcome, [EBUSY, EEXIST, ENOENT, EINVAL].contains(refusal.code),
        let change = refusal.change, transaction.changes[change].removesWhatMayBeMissing,
        let known = try? presentKeys(of: transaction)
      else { break }
      outcome = attempt(transaction, removal: .deleteKnown(known))
    }
    return outcome
  }

  private func attempt(_ transaction: KernelTransaction, removal: NftablesBatch.Removal) -> CommitOutcome {
    // Moved out and back in, so that the arrays stay uniquely referenced.
    let reused = storage
    storage = NftablesBatch.Storage()
    var batch = NftablesBatch(
      reusing: reused, scratch: scratch, table: table, firstSequence: nextSequence, removal: removal)
    for (index, change) in transaction.changes.enumerated() { batch.append(change, at: index) }
    let finished = batch.finalize()
    nextSequence = finished.nextSequence
    let outcome = send(finished, transaction)
    storage = finished.recycle()
    return outcome
  }

  private func send(_ batch: borrowing FinishedBatch, _ transaction: KernelTransaction) -> CommitOutcome {
    if batch.isEmpty { return .committed }
    let failure = socket.send(batch.bytes)
    guard failure == 0 else { return refusal(failure, nil, nil, transaction) }
    var first: CommitOutcome?
    var lostAnswers = false
    while true {
      switch socket.receive(into: &answer, waits: !lostAnswers) {
      case .failed(code: ENOBUFS):
        // More errors than the socket holds. The first ones are in it, and there is no success to wait for.
        lostAnswers = true
      case .failed(let code):
        return first ?? refusal(code == EAGAIN ? ETIMEDOUT : code, nil, nil, transaction)
      case .datagram(let length):
        var offset = 0
        while let message = NetlinkMessage.read(at: &offset, in: answer.span, end: length) {
          // An answer to an earlier batch that came too late belongs to nobody any more.
          guard message.type == NetlinkHeader.errorType, batch.holds(message.sequence),
            let code = message.errorCode(in: answer.span)
          else { continue }
          if code != 0, first == nil {
            first = refusal(
              code, batch.change(ofSequence: message.sequence), message.errorText(in: answer.span), transaction)
          }
          // The kernel answers in order: BATCH_BEGIN's error means that nothing else was looked at or that the commit itself failed.
          if message.sequence == batch.lastSequence || message.sequence == batch.firstSequence {
            return first ?? .committed
          }
        }
      }
    }
  }

  private func refusal(
    _ code: Int32, _ change: Int?, _ text: String?, _ transaction: KernelTransaction
  ) -> CommitOutcome {
    let what = change.map { "change \($0), \(transaction.changes[$0].summary)" } ?? "the transaction"
    let reason = "\(what): \(errorName(code))\(text.map { ", \($0)" } ?? "")"
    return .refused(CommitRefusal(code: code, change: change, reason: reason))
  }

  /// A destroy in a table that is not there: an old kernel knows no such message (EINVAL), a newer one no such table (ENOENT).
  private func probeDestroy() -> Bool {
    let probe = KernelTransaction([
      .destroyElements(SetName(rawValue: FeatureProbe.table), [SetElement([[0, 0, 0, 0]])])
    ])
    guard case .refused(let refusal) = attempt(probe, removal: .destroy) else { return true }
    return refusal.code != EINVAL
  }
}

extension KernelChange {
  fileprivate var removesWhatMayBeMissing: Bool {
    switch self {
    case .renewElements, .destroyElements: true
    default: false
    }
  }

  /// What it is about, for people.
  fileprivate var summary: String {
    switch self {
    case .addTable: "add table"
    case .deleteTable: "delete table"
    case .addSet(let set): "add set \(set.name.rawValue)"
    case .deleteSet(let set): "delete set \(set.rawValue)"
    case .addChain(let chain): "add chain \(chain.name.rawValue)"
    case .flushChain(let chain): "flush chain \(chain.rawValue)"
    case .appendRule(let rule): "add rule to \(rule.chain.rawValue): \(rule.statements)"
    case .addElements(let set, let elements): "add \(elements.count) elements to \(set.rawValue)"
    case .renewElements(let set, let elements): "renew \(elements.count) elements of \(set.rawValue)"
    case .deleteElements(let set, let elements): "delete \(elements.count) elements of \(set.rawValue)"
    case .destroyElements(let set, let elements): "destroy \(elements.count) elements of \(set.rawValue)"
    case .flushSet(let set): "flush set \(set.rawValue)"
    }
  }
}
