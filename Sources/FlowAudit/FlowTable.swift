/// Live flows by tuple. The flows lie side by side and the dictionary holds only where: a dictionary's room is up to two and a half times what is in it.
struct FlowTable: Sendable {
  /// Marks whose attribution is remembered to be shared: some 200 octets each. Flows of others have their own.
  private static let sharedMax = 4_096

  private var places: [FlowTuple: UInt32] = [:]
  private var slots: [TrackedFlow?] = []
  private var free: [UInt32] = []
  private var shared: [UInt32: SharedAttribution] = [:]

  var count: Int { places.count }

  /// In no order that means anything.
  var flows: some Sequence<TrackedFlow> { slots.lazy.compactMap(\.self) }

  /// Good as long as the flow is in the table.
  func place(of tuple: FlowTuple) -> UInt32? { places[tuple] }

  func flow(at place: UInt32) -> TrackedFlow? { slots.indices.contains(Int(place)) ? slots[Int(place)] : nil }

  subscript(tuple: FlowTuple) -> TrackedFlow? {
    guard let place = places[tuple] else { return nil }
    return slots[Int(place)]
  }

  /// Changes the flow in place; nothing when it is not there.
  mutating func update(_ tuple: FlowTuple, _ change: (inout TrackedFlow) -> Void) {
    guard let place = places[tuple], var flow = slots[Int(place)].take() else { return }
    change(&flow)
    slots[Int(place)] = flow
  }

  /// Adds a flow whose tuple is not there, and returns its place.
  mutating func insert(_ flow: TrackedFlow) -> UInt32 {
    let place: UInt32
    if let last = free.popLast() {
      place = last
      slots[Int(place)] = flow
    } else {
      place = UInt32(slots.count)
      slots.append(flow)
    }
    places[flow.tuple] = place
    return place
  }

  /// The place that it had; nil when it is not there.
  @discardableResult
  mutating func remove(_ tuple: FlowTuple) -> UInt32? {
    guard let place = places.removeValue(forKey: tuple) else { return nil }
    slots[Int(place)] = nil
    if places.isEmpty {
      // A flood's memory is given back with its last flow.
      self = FlowTable()
    } else {
      free.append(place)
    }
    return place
  }

  /// One object for all flows of a mark that say the same.
  mutating func share(_ attribution: FlowAttribution, of mark: UInt32) -> SharedAttribution {
    if let known = shared[mark], known.value == attribution { return known }
    let new = SharedAttribution(attribution)
    if shared[mark] != nil || shared.count < Self.sharedMax { shared[mark] = new }
    return new
  }
}
