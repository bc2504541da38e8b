import HTTPWire
import Testing

/// Everything the parser says about a stream that is fed in pieces of `size` octets, up to the first fault.
func requestEvents(_ text: String, size: Int? = nil, limits: HTTPLimits = .server) -> [RequestEvent] {
  var parser = RequestParser(limits: limits)
  return pieces(Array(text.utf8), size).flatMap { piece in
    parser.receive(piece)
    return drain(&parser)
  }.firstFaultLast
}

func drain(_ parser: inout RequestParser) -> [RequestEvent] {
  var events: [RequestEvent] = []
  while true {
    let event = parser.next()
    if event == .needMore { return events }
    events.append(event)
    if case .fault = event { return events }
  }
}

/// What the client half says in the end.
func responseEvent(
  _ text: String, to method: String = "POST", size: Int? = nil, ending: Bool? = nil, limits: HTTPLimits = .client
) -> ResponseEvent {
  var parser = ResponseParser(to: method, limits: limits)
  var last = ResponseEvent.needMore
  for piece in pieces(Array(text.utf8), size) {
    parser.receive(piece)
    let event = parser.next()
    if event != .needMore { last = event }
  }
  if let ending {
    parser.connectionClosed(cleanly: ending)
    let event = parser.next()
    if event != .needMore, last == .needMore { last = event }
  }
  return last
}

func pieces(_ octets: [UInt8], _ size: Int?) -> [[UInt8]] {
  guard let size else { return [octets] }
  return stride(from: 0, to: octets.count, by: size).map { Array(octets[$0..<min($0 + size, octets.count)]) }
}

extension [RequestEvent] {
  /// A fault is repeated with each later piece; it counts once.
  var firstFaultLast: [RequestEvent] {
    let index = firstIndex { if case .fault = $0 { true } else { false } }
    return index.map { Array(self[...$0]) } ?? self
  }

  var fault: HTTPFault? { if case .fault(let fault) = last { fault } else { nil } }

  var requests: [HTTPRequest] { compactMap { if case .request(let request) = $0 { request } else { nil } } }
}

/// SplitMix64: the same octets at every run.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
