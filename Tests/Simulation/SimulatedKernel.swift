import Addressing
import Firewall
import Timekeeping

/// The kernel's side of the table `inet sallyport`: what transactions made of it.
struct SimulatedKernel {
  struct Element {
    var key: ElementValues
    var last: ElementValues?
    var mark: UInt32?
    var comment: [UInt8]?
    /// Nil: for ever.
    var ends: Instant?

    func isLive(at now: Instant) -> Bool { ends.map { now < $0 } ?? true }
  }

  struct Table {
    var definition: SetDefinition
    /// In the order of their coming; by the key's octets for sets without intervals.
    var elements: [[UInt8]: Element] = [:]
    var intervals: [Element] = []
    var sabotage: Sabotage?

    func live(at now: Instant) -> [Element] {
      definition.isInterval
        ? intervals.filter { $0.isLive(at: now) }
        : elements.keys.sorted { $0.lexicographicallyPrecedes($1) }.compactMap { elements[$0] }.filter {
          $0.isLive(at: now)
        }
    }
  }

  struct Chain {
    var base: ChainDefinition.Base?
    var rules: [[Statement]] = []
  }

  var hasTable = false
  var sets: [SetName: Table] = [:]
  var chains: [ChainName: Chain] = [:]
  var conntrack = SimulatedConntrack()
  var sabotage: Sabotage?

  /// All changes, or none and why.
  mutating func apply(_ transaction: KernelTransaction, at now: Instant) -> CommitOutcome {
    var next = self
    for (index, change) in transaction.changes.enumerated() {
      if let problem = next.apply(change, at: now) {
        return .refused(CommitRefusal(code: problem.code, change: index, reason: problem.reason))
      }
    }
    hasTable = next.hasTable
    sets = next.sets
    chains = next.chains
    return .committed
  }

  /// An errno and what it is about.
  struct Refusal {
    var code: Int32
    var reason: String

    init(_ code: Int32, _ reason: String) { (self.code, self.reason) = (code, reason) }

    static func missing(_ what: String) -> Refusal { Refusal(2, "ENOENT: \(what)") }
    static func exists(_ what: String) -> Refusal { Refusal(17, "EEXIST: \(what)") }
  }

  private mutating func apply(_ change: KernelChange, at now: Instant) -> Refusal? {
    if case .addTable = change {
      hasTable = true
      return nil
    }
    guard hasTable else { return .missing("table") }
    switch change {
    case .addTable: return nil
    case .deleteTable:
      (hasTable, sets, chains) = (false, [:], [:])
      return nil
    case .addSet(let definition):
      guard let old = sets[definition.name] else {
        sets[definition.name] = Table(definition: definition, sabotage: sabotage)
        return nil
      }
      return old.definition == definition ? nil : .exists("set \(definition.name.rawValue)")
    case .deleteSet(let name): return sets.removeValue(forKey: name) == nil ? .missing(name.rawValue) : nil
    case .addChain(let definition):
      if chains[definition.name] == nil { chains[definition.name] = Chain(base: definition.base) }
      return nil
    case .flushChain(let name):
      guard chains[name] != nil else { return .missing(name.rawValue) }
      chains[name]?.rules = []
      return nil
    case .appendRule(let rule):
      guard chains[rule.chain] != nil else { return .missing(rule.chain.rawValue) }
      if let name = rule.statements.lazy.compactMap({ $0.names }).first(where: { sets[$0] == nil }) {
        return .missing("set \(name.rawValue)")
      }
      chains[rule.chain]?.rules.append(rule.statements)
      return nil
    case .flushSet(let name):
      guard sets[name] != nil else { return .missing(name.rawValue) }
      sets[name]?.elements = [:]
      sets[name]?.intervals = []
      return nil
    case .addElements(let name, let elements):
      return each(elements, of: name) { $0.add($1, at: now) }
    case .renewElements(let name, let elements):
      return each(elements, of: name) { $0.add($1, at: now) ?? $0.remove($1, at: now) ?? $0.add($1, at: now) }
    case .deleteElements(let name, let elements):
      if sabotage == .destroyIgnored { return nil }
      return each(elements, of: name) { $0.remove($1, at: now) }
    case .destroyElements(let name, let elements):
      if sabotage == .destroyIgnored { return nil }
      return each(elements, of: name) {
        $0.removeIfThere($1, at: now)
        return nil
      }
    }
  }

  private mutating func each(
    _ elements: [SetElement], of name: SetName, _ change: (inout Table, SetElement) -> Refusal?
  ) -> Refusal? {
    // Moved out and back, so that nothing is copied.
    guard var table = sets.removeValue(forKey: name) else { return .missing("set \(name.rawValue)") }
    defer { sets[name] = table }
    for element in elements {
      if let problem = change(&table, element) { return problem }
    }
    return nil
  }
}

extension SimulatedKernel.Table {
  /// A first octet string that contains all parts: unambiguous, since the parts of one set have fixed lengths.
  private func flat(_ key: some Sequence<[UInt8]>) -> [UInt8] { Array(key.joined()) }

  private func check(_ element: SetElement) -> SimulatedKernel.Refusal? {
    guard element.key.count == definition.key.count,
      zip(element.key, definition.key).allSatisfy({ $0.count == $1.length })
    else { return .init(22, "EINVAL: key of \(definition.name.rawValue)") }
    guard element.timeout == nil || definition.hasTimeouts else {
      return .init(22, "EINVAL: timeout in \(definition.name.rawValue)")
    }
    guard (element.last == nil) || definition.isInterval else {
      return .init(22, "EINVAL: range in \(definition.name.rawValue)")
    }
    return nil
  }

  fileprivate mutating func add(_ element: SetElement, at now: Instant) -> SimulatedKernel.Refusal? {
    if let problem = check(element) { return problem }
    guard (element.mark != nil) == definition.mapsToMark else {
      return .init(22, "EINVAL: mark in \(definition.name.rawValue)")
    }
    if let timeout = element.timeout, timeout <= .zero { return .init(22, "EINVAL: timeout \(timeout)") }
    let new = SimulatedKernel.Element(
      key: element.key, last: element.last, mark: element.mark, comment: element.comment,
      ends: sabotage == .timeoutIgnored ? nil : element.timeout.map { now + $0 })
    if definition.isInterval {
      for old in intervals where old.isLive(at: now) && overlap(old, new) {
        if old.key == new.key, old.last == new.last, old.mark == new.mark { return nil }
        return .init(17, "EEXIST: overlap in \(definition.name.rawValue)")
      }
      intervals.removeAll { !$0.isLive(at: now) }
      intervals.append(new)
    } else {
      let key = flat(element.key)
      if let old = elements[key], old.isLive(at: now) {
        return old.mark == new.mark ? nil : .init(17, "EEXIST: \(definition.name.rawValue) with another mark")
      }
      elements[key] = new
    }
    if let max = definition.sizeMax {
      let count = definition.isInterval ? intervals.count : elements.count
      if count > Int(max) {
        elements = elements.filter { $0.value.isLive(at: now) }
        if max < (definition.isInterval ? intervals.count : elements.count) {
          return .init(23, "ENFILE: \(definition.name.rawValue) is full")
        }
      }
    }
    return nil
  }

  fileprivate mutating func remove(_ element: SetElement, at now: Instant) -> SimulatedKernel.Refusal? {
    removeIfThere(element, at: now) ? nil : .init(2, "ENOENT: element of \(definition.name.rawValue)")
  }

  @discardableResult
  fileprivate mutating func removeIfThere(_ element: SetElement, at now: Instant) -> Bool {
    guard definition.isInterval else {
      return elements.removeValue(forKey: flat(element.key))?.isLive(at: now) ?? false
    }
    guard
      let index = intervals.firstIndex(where: {
        $0.isLive(at: now) && $0.key == element.key && ($0.last ?? $0.key) == (element.last ?? element.key)
      })
    else { return false }
    intervals.remove(at: index)
    return true
  }

  private func overlap(_ left: SimulatedKernel.Element, _ right: SimulatedKernel.Element) -> Bool {
    for part in definition.key.indices {
      let (a, b) = (left.key[part], (left.last ?? left.key)[part])
      let (c, d) = (right.key[part], (right.last ?? right.key)[part])
      if b.lexicographicallyPrecedes(c) || d.lexicographicallyPrecedes(a) { return false }
    }
    return true
  }

  /// The element that holds these values.
  func lookUp(_ values: [[UInt8]], at now: Instant) -> SimulatedKernel.Element? {
    guard definition.isInterval else {
      return elements[flat(values)].flatMap { $0.isLive(at: now) ? $0 : nil }
    }
    return intervals.first { element in
      element.isLive(at: now)
        && definition.key.indices.allSatisfy { part in
          !values[part].lexicographicallyPrecedes(element.key[part])
            && !(element.last ?? element.key)[part].lexicographicallyPrecedes(values[part])
        }
    }
  }
}

extension Statement {
  /// The set that it looks into.
  fileprivate var names: SetName? {
    switch self {
    case .connectionMarkIn(let name), .familyIn(let name), .fieldsIn(let name, _), .setConnectionMarkFrom(let name, _),
      .countIn(let name, _):
      name
    default: nil
    }
  }
}
