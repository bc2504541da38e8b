import Addressing
import Timekeeping

/// What the sandbox's programs, its neighbours and its owner do.
struct SimulatedWorkload {
  enum Act {
    case query(name: String, type: UInt16, isTCP: Bool, hasEDNS: Bool)
    /// To an address that was told, or to any other.
    case connect(Endpoint, transport: UInt8, mark: UInt32)
    /// To the address that was told last for a port that is allowed.
    case connectTold(transport: UInt8)
    case visit(port: UInt16, transport: UInt8, isConnectionRequest: Bool)
    case attackAPI
    case change(Change)
    case read(path: String)
    case continueFlow
  }

  enum Change {
    case replace(NaivePolicy)
    case merge([NaivePolicy.Rule])
    case remove([String])
  }

  var generator: SeededGenerator

  mutating func next(at wall: WallTime) -> Act {
    switch generator.number(0...99) {
    case 0..<40:
      let type = generator.pick([1, 1, 1, 1, 28, 28, 16, 5] as [UInt16])
      return .query(
        name: generator.pick(Universe.names), type: type, isTCP: generator.chance(100), hasEDNS: generator.chance(500))
    case 40..<50: return .connectTold(transport: generator.chance(700) ? 6 : 17)
    case 50..<66:
      let destination = Endpoint(generator.pick(Universe.addresses), generator.pick(Universe.ports))
      return .connect(destination, transport: generator.chance(600) ? 6 : 17, mark: generator.chance(50) ? 4711 : 0)
    case 66..<68: return .connect(Endpoint(generator.pick(Universe.addresses), 53), transport: 17, mark: 0)
    case 68..<70: return .connect(Endpoint(generator.pick(Universe.addresses), 0), transport: 1, mark: 0)
    case 70..<73:
      return .visit(
        port: generator.pick([80, Universe.apiPort, 9999]), transport: generator.chance(700) ? 6 : 17,
        isConnectionRequest: generator.chance(700))
    case 73..<75: return .attackAPI
    case 75..<80: return .change(change(at: wall))
    case 80..<83: return .read(path: generator.pick(["/policy", "/audit", "/flows", "/metrics", "/healthz", "/owner"]))
    default: return .continueFlow
    }
  }

  private mutating func change(at wall: WallTime) -> Change {
    switch generator.number(0...9) {
    case 0..<6: return .replace(policy(at: wall))
    case 6..<8: return .merge((0..<generator.number(1...2)).map { _ in rule(at: wall) })
    default: return .remove([rule(at: wall).targetText])
    }
  }

  mutating func policy(at wall: WallTime) -> NaivePolicy {
    NaivePolicy(
      allowsByDefault: generator.chance(100), (0..<generator.number(0...6)).map { _ in rule(at: wall) })
  }

  private mutating func rule(at wall: WallTime) -> NaivePolicy.Rule {
    let target: NaivePolicy.Rule.Target
    switch generator.number(0...9) {
    case 0..<6: target = .name(generator.pick(Universe.names))
    case 6..<8: target = .below(generator.pick([".wild.example.org", ".example.com"]))
    default:
      target = generator.pick([
        .block(text: "203.0.113.0/24", prefix: [203, 0, 113], isIPv4: true),
        .block(text: "203.0.113.2", prefix: [203, 0, 113, 2], isIPv4: true),
        .block(text: "10.0.0.0/8", prefix: [10], isIPv4: true),
        .block(text: "2001:db8::/32", prefix: [0x20, 0x01, 0x0d, 0xb8], isIPv4: false),
      ])
    }
    let ports: [UInt16]? =
      generator.chance(400) ? (generator.chance(500) ? [443] : [443, 8080]) : nil
    let expires =
      generator.chance(100)
      ? wall + .milliseconds(Int64(generator.number(1_000...20_000))) : nil
    return NaivePolicy.Rule(generator.chance(750), target, ports: ports, expires: expires)
  }
}
