/// What someone else did to `table inet sallyport`, as the kernel told it.
package struct ForeignChange: Hashable, Sendable {
  /// A thing in the table. In order of weight: what stands first carries the rest.
  package enum Part: Hashable, Sendable {
    case table
    case chain(String)
    /// A rule of this chain.
    case rule(String)
    case set(String)
    /// Elements of this set.
    case elements(String)
    /// A stateful object or a flow table.
    case other(String)
    /// What exactly is not known: the kernel's messages were lost, or nobody listened.
    case unknown
  }

  package struct Step: Hashable, Sendable {
    package var part: Part
    package var isDeletion: Bool

    package init(_ part: Part, isDeletion: Bool) {
      self.part = part
      self.isDeletion = isDeletion
    }
  }

  /// Steps that are told one by one; a flush of the ruleset is some hundred, and the rest are counted.
  package static let stepsMax = 8

  /// Different ones, as they came.
  package private(set) var steps: [Step] = []
  /// Steps in all, repeats included.
  package private(set) var stepCount = 0
  /// Who did it, for people: the kernel's name for the process and its number outside of all namespaces.
  package var process: String?
  /// Whether anything but elements was touched.
  package private(set) var isStructural = false

  package init() {}

  /// Nothing is known but that it is another than it was.
  package static var unknown: ForeignChange {
    var change = ForeignChange()
    change.add(Step(.unknown, isDeletion: false))
    return change
  }

  package var isEmpty: Bool { stepCount == 0 }

  package mutating func add(_ step: Step) {
    stepCount += 1
    if case .elements = step.part {} else { isStructural = true }
    if steps.contains(step) { return }
    if steps.count < Self.stepsMax {
      steps.append(step)
    } else if let last = steps.last, step.weight < last.weight {
      // The heaviest are always told.
      steps[steps.count - 1] = step
    }
    steps.sort { $0.weight < $1.weight }
  }

  /// Adds what another one found.
  package mutating func merge(_ other: ForeignChange) {
    for step in other.steps { add(step) }
    stepCount += other.stepCount - other.steps.count
    isStructural = isStructural || other.isStructural
    process = process ?? other.process
  }

  /// The heaviest thing that was touched, for instance `chain out`.
  package var object: String { steps.first?.part.text ?? "table inet sallyport" }

  /// What was done, for people: `rule of chain out deleted, elements of lease4 added; by nft (process 4711)`.
  package var text: String {
    var parts = steps.map(\.text)
    if stepCount > steps.count { parts.append("\(stepCount) steps in all") }
    return parts.joined(separator: ", ") + (process.map { "; by \($0)" } ?? "")
  }
}

extension ForeignChange.Part {
  fileprivate var text: String {
    switch self {
    case .table, .unknown: "table inet sallyport"
    case .chain(let name): "chain \(name)"
    case .rule(let chain): "rule of chain \(chain)"
    case .set(let name): "set \(name)"
    case .elements(let set): "elements of \(set)"
    case .other(let name): name
    }
  }
}

extension ForeignChange.Step {
  fileprivate var weight: Int {
    switch part {
    case .table: isDeletion ? 0 : 1
    case .unknown: 2
    case .chain: 3
    case .rule: 4
    case .set: 5
    case .elements: 6
    case .other: 7
    }
  }

  fileprivate var text: String {
    if case .unknown = part { return "another than it was" }
    return "\(part.text) \(isDeletion ? "deleted" : "added or changed")"
  }
}
