import Addressing
import EgressPolicy
import Timekeeping

extension Firewall {
  /// What the kernel's sets hold by this model once nothing is under way, by the sets of the table: for comparing with what they do hold. An
  /// element that is not for ever has the time left as its timeout; the kernel's end may be later, by as much as its commit was late.
  package func heldElements(at now: Instant) -> [SetName: [SetElement]] {
    var held: [SetName: [SetElement]] = [:]
    for address in addresses.keys.sorted() {
      for element in addresses[address]?.held ?? [] where now < element.until {
        held[element.key.set(isIPv4: address.isIPv4), default: []].append(element.element(address, at: now))
      }
    }
    for id in grants.keys.sorted() {
      guard let grant = grants[id], grant.isHeld, grant.heldUntil.map({ now < $0 }) ?? true else { continue }
      held[.grants, default: []].append(SetElement([hostOrderBytes(id)], timeout: grant.heldUntil.map { $0 - now }))
    }
    for (name, elements) in zip(AddressRules.sets, heldRules) { held[name] = elements }
    if parameters.checksSources { held[.sources6] = heldSources.sorted().map { SetElement([$0.bytes]) } }
    for destination in own.keys.sorted(by: { ($0.endpoint, $0.transport) < ($1.endpoint, $1.transport) }) {
      guard let end = own[destination], end.map({ now < $0 }) ?? true else { continue }
      let address = destination.endpoint.address
      let key: ElementValues = [
        address.bytes, [destination.transport.rawValue], bigEndianBytes(destination.endpoint.port),
      ]
      held[AddressSets.of(isIPv4: address.isIPv4).own, default: []].append(
        SetElement(key, timeout: end.map { $0 - now }))
    }
    switch gate {
    case .open: held[.gate] = [SetElement([[2]]), SetElement([[10]])]
    case .until(let end) where now < end:
      held[.gate] = [SetElement([[2]], timeout: end - now), SetElement([[10]], timeout: end - now)]
    case .closed, .until: held[.gate] = []
    }
    return held
  }
}
