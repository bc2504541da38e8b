import CNetlink
import Firewall

/// One nfnetlink batch under construction: BATCH_BEGIN, a message or more a change, BATCH_END. It cannot be sent: `finalize` consumes
/// it and gives a `FinishedBatch`, which can.
struct NftablesBatch: ~Copyable {
  /// The kernel puts a number in place of `%d`.
  static let anonymousSetName = "__set%d"

  /// What is used again from batch to batch, so that one of only elements allocates nothing.
  struct Storage {
    var writer = MessageWriter()
    /// Index of the change of each message after BATCH_BEGIN.
    var changeOfMessage: [Int] = []
  }

  /// How to remove an element that may not be there.
  enum Removal {
    /// NFT_MSG_DESTROYSETELEM, from Linux 6.3 on.
    case destroy
    /// Before: add it, so that it is there, and delete it. Fails with EBUSY when the map holds it with another mark.
    case addAndDelete
    /// Before, when that failed: delete those that were there a moment ago (keys as on the wire, by set).
    case deleteKnown([SetName: Set<[UInt8]>])
  }

  private var storage: Storage
  private let scratch: LibnftnlMessage
  private let table: String
  private let firstSequence: UInt32
  private var removal: Removal
  private var anonymousSets: UInt32 = 0
  private var change = 0

  init(
    reusing storage: consuming Storage, scratch: LibnftnlMessage, table: String, firstSequence: UInt32, removal: Removal
  ) {
    self.storage = storage
    self.scratch = scratch
    self.table = table
    self.firstSequence = firstSequence
    self.removal = removal
    self.storage.writer.removeAll()
    self.storage.changeOfMessage.removeAll(keepingCapacity: true)
    boundary(MessageType.batchBegin, sequence: firstSequence)
  }

  /// Adds the messages of one change, which errors will name by `index`.
  mutating func append(_ change: KernelChange, at index: Int) {
    self.change = index
    switch change {
    case .addTable:
      begin(MessageType.newTable, NetlinkHeader.create)
      storage.writer.attribute(TablesAttribute.tableName, text: table)
      // No flags: one that someone put to sleep (`flags dormant`) wakes up.
      storage.writer.attribute(TablesAttribute.tableFlags, bigEndian: UInt32(0))
      end()
    case .deleteTable:
      begin(MessageType.deleteTable)
      storage.writer.attribute(TablesAttribute.tableName, text: table)
      end()
      if case .deleteKnown = removal { removal = .deleteKnown([:]) }
    case .addSet(let definition): append(definition)
    case .deleteSet(let name):
      begin(MessageType.deleteSet)
      storage.writer.attribute(TablesAttribute.table, text: table)
      storage.writer.attribute(TablesAttribute.setName, text: name.rawValue)
      end()
    case .addChain(let definition): append(definition)
    case .flushChain(let name):
      begin(MessageType.deleteRule)
      storage.writer.attribute(TablesAttribute.table, text: table)
      storage.writer.attribute(TablesAttribute.ruleChain, text: name.rawValue)
      end()
    case .appendRule(let definition): append(definition)
    case .addElements(let set, let elements):
      appendElements(MessageType.newElements, set, elements)
      noteKnown(set, elements, present: true)
    case .renewElements(let set, let elements):
      remove(set, elements)
      appendElements(MessageType.newElements, set, elements)
      noteKnown(set, elements, present: true)
    case .deleteElements(let set, let elements):
      appendElements(MessageType.deleteElements, set, elements)
      noteKnown(set, elements, present: false)
    case .destroyElements(let set, let elements): remove(set, elements)
    case .flushSet(let set):
      begin(MessageType.deleteElements)
      storage.writer.attribute(TablesAttribute.table, text: table)
      storage.writer.attribute(TablesAttribute.listSet, text: set.rawValue)
      end()
      if case .deleteKnown(var known) = removal {
        known[set] = []
        removal = .deleteKnown(known)
      }
    }
  }

  /// Asks for one acknowledgement, of the last message: errors come before it and for every message that has one.
  consuming func finalize() -> FinishedBatch {
    if !storage.changeOfMessage.isEmpty { storage.writer.addFlags(NetlinkHeader.acknowledge) }
    let last = firstSequence &+ UInt32(truncatingIfNeeded: storage.changeOfMessage.count)
    boundary(MessageType.batchEnd, sequence: last &+ 1)
    return FinishedBatch(storage: storage, firstSequence: firstSequence, lastSequence: last)
  }

  private mutating func boundary(_ type: UInt16, sequence: UInt32) {
    storage.writer.beginMessage(
      type: type, flags: NetlinkHeader.request, sequence: sequence, family: ProtocolFamily.unspecified,
      resource: MessageType.subsystemTables)
    storage.writer.endMessage()
  }

  private mutating func nextSequence() -> UInt32 {
    storage.changeOfMessage.append(change)
    return firstSequence &+ UInt32(truncatingIfNeeded: storage.changeOfMessage.count)
  }

  private mutating func begin(_ type: UInt16, _ flags: UInt16 = 0) {
    let sequence = nextSequence()
    storage.writer.beginMessage(
      type: type, flags: NetlinkHeader.request | flags, sequence: sequence, family: ProtocolFamily.inet)
  }

  private mutating func end() { storage.writer.endMessage() }

  private mutating func append(_ definition: RuleDefinition) {
    precondition(definition.statements.count <= RuleComposer.statementsMax)
    var rule = RuleComposer(table: table, chain: definition.chain)
    for statement in definition.statements { rule.append(statement) { append($0) } }
    let sequence = nextSequence()
    storage.writer.append(message: rule.compose(into: scratch, sequence: sequence))
  }

  /// `add chain inet TABLE NAME { type … hook … priority …; policy …; }`
  private mutating func append(_ definition: ChainDefinition) {
    let sequence = nextSequence()
    storage.writer.append(message: definition.compose(table: table, into: scratch, sequence: sequence))
  }

  private mutating func append(_ definition: SetDefinition) {
    let sequence = nextSequence()
    let identifier = sequence &- firstSequence
    storage.writer.append(
      message: definition.compose(table: table, identifier: identifier, into: scratch, sequence: sequence))
  }

  /// A constant set without a name, and its elements; the rule that uses it follows.
  private mutating func append(_ set: AnonymousSet) -> UInt32 {
    let sequence = nextSequence()
    let identifier = sequence &- firstSequence
    storage.writer.append(
      message: set.compose(table: table, identifier: identifier, into: scratch, sequence: sequence))
    appendElements(
      MessageType.newElements, SetName(rawValue: Self.anonymousSetName), set.elements, setIdentifier: identifier)
    return identifier
  }

  private mutating func remove(_ set: SetName, _ elements: [SetElement]) {
    switch removal {
    case .destroy:
      appendElements(MessageType.destroyElements, set, elements)
    case .addAndDelete:
      appendElements(MessageType.newElements, set, elements)
      appendElements(MessageType.deleteElements, set, elements)
    case .deleteKnown(let known):
      let there = elements.filter { known[set]?.contains(paddedKey($0.key)) ?? false }
      appendElements(MessageType.deleteElements, set, there)
      noteKnown(set, elements, present: false)
    }
  }

  /// Keeps track of what earlier changes of the same batch did.
  private mutating func noteKnown(_ set: SetName, _ elements: [SetElement], present: Bool) {
    guard case .deleteKnown(var known) = removal else { return }
    for element in elements {
      if present {
        known[set, default: []].insert(paddedKey(element.key))
      } else {
        known[set, default: []].remove(paddedKey(element.key))
      }
    }
    removal = .deleteKnown(known)
  }

  private mutating func appendElements(
    _ type: UInt16, _ set: SetName, _ elements: [SetElement], setIdentifier: UInt32? = nil
  ) {
    let flags = type == MessageType.newElements ? NetlinkHeader.create : 0
    var index = 0
    while index < elements.count {
      begin(type, flags)
      storage.writer.attribute(TablesAttribute.table, text: table)
      storage.writer.attribute(TablesAttribute.listSet, text: set.rawValue)
      if let setIdentifier { storage.writer.attribute(TablesAttribute.listSetIdentifier, bigEndian: setIdentifier) }
      let list = storage.writer.beginNest(TablesAttribute.listElements)
      while index < elements.count, storage.writer.messageLength < MessageWriter.elementMessageSizeMax {
        storage.writer.append(elements[index], adds: type == MessageType.newElements)
        index += 1
      }
      storage.writer.endNest(list)
      end()
    }
  }
}

/// A batch that is ready to be sent.
struct FinishedBatch: ~Copyable {
  private let storage: NftablesBatch.Storage
  let firstSequence: UInt32
  /// Of the message that is acknowledged.
  let lastSequence: UInt32

  fileprivate init(storage: consuming NftablesBatch.Storage, firstSequence: UInt32, lastSequence: UInt32) {
    self.storage = storage
    self.firstSequence = firstSequence
    self.lastSequence = lastSequence
  }

  var bytes: [UInt8] { storage.writer.bytes }
  var isEmpty: Bool { storage.changeOfMessage.isEmpty }

  /// The first sequence number that the next batch may use.
  var nextSequence: UInt32 { lastSequence &+ 2 }

  /// Whether a message of this batch has this number, its ends included.
  func holds(_ sequence: UInt32) -> Bool { sequence &- firstSequence <= lastSequence &+ 1 &- firstSequence }

  /// The change that the message with this number is part of; nil for the ends of the batch.
  func change(ofSequence sequence: UInt32) -> Int? {
    let message = Int(sequence &- firstSequence) - 1
    return storage.changeOfMessage.indices.contains(message) ? storage.changeOfMessage[message] : nil
  }

  /// Gives the storage back.
  consuming func recycle() -> NftablesBatch.Storage { storage }
}
