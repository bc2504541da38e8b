import DNSWire
import EgressPolicy

/// What stands beside a grant in the kernel, so that the next start of the daemon knows who let live flows out: `NAME RULE`, and `* RULE` for a rule about
/// addresses. It is written with the grant, so neither can be lost without the other.
extension GrantAttribution {
  /// Nil when it is too long for the kernel: the grant is then unknown after a restart.
  var comment: [UInt8]? {
    var text: [UInt8] = []
    text.reserveCapacity((name?.wire.count ?? 1) + 1 + rule.text.utf8.count)
    if let name { name.appendText(to: &text) } else { text.append(0x2a) }
    text.append(0x20)
    text += rule.text.utf8
    return text.count <= SetElement.commentMax ? text : nil
  }

  /// Reads it back. The rule's place and end are not kept: the policy at the start says whether it still stands.
  package init?(comment: [UInt8]) {
    // A presentation name has no space: it would be escaped.
    guard let space = comment.firstIndex(of: 0x20) else { return nil }
    let name = comment[..<space]
    let text = String(decoding: comment[(space + 1)...], as: UTF8.self)
    let rule = RuleReference(place: .defaultAction, action: .allow, text: text)
    guard name.elementsEqual([0x2a]) else {
      guard let parsed = DomainName(String(decoding: name, as: UTF8.self)) else { return nil }
      self.init(name: parsed, rule: rule, session: 0)
      return
    }
    self.init(name: nil, rule: rule, session: 0)
  }
}
