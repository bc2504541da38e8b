import Addressing
import Timekeeping

/// The transaction as text that `nft -f` accepts as one transaction, for logs, tests and people. `destroy` needs nft 1.0.7, so it is written as
/// add and delete, which comes to the same.
package func nftText(_ transaction: KernelTransaction) -> String {
  transaction.changes.map { nftLines($0).joined(separator: "\n") + "\n" }.joined()
}

private let table = "inet sallyport"

private func nftLines(_ change: KernelChange) -> [String] {
  switch change {
  case .addTable: ["add table \(table)"]
  case .deleteTable: ["delete table \(table)"]
  case .addSet(let set): ["add \(set.mapsToMark ? "map" : "set") \(table) \(set.name.rawValue) { \(nftBody(set)) }"]
  case .deleteSet(let name): ["delete \(isMap(name) ? "map" : "set") \(table) \(name.rawValue)"]
  case .addChain(let chain): ["add chain \(table) \(chain.name.rawValue)" + (chain.base.map(nftHook) ?? "")]
  case .flushChain(let name): ["flush chain \(table) \(name.rawValue)"]
  case .appendRule(let rule):
    ["add rule \(table) \(rule.chain.rawValue) " + rule.statements.map(nftText).joined(separator: " ")]
  case .addElements(let name, let elements): [nftElements("add", name, elements)]
  case .renewElements(let name, let elements):
    [
      nftElements("add", name, elements), nftElements("delete", name, elements.map(\.keyAlone)),
      nftElements("add", name, elements),
    ]
  case .deleteElements(let name, let elements): [nftElements("delete", name, elements.map(\.keyAlone))]
  case .destroyElements(let name, let elements):
    [nftElements("add", name, elements), nftElements("delete", name, elements.map(\.keyAlone))]
  case .flushSet(let name): ["flush \(isMap(name) ? "map" : "set") \(table) \(name.rawValue)"]
  }
}

/// `nft` wants the right word; the maps of `Ruleset` are the leases and the address rules.
private func isMap(_ name: SetName) -> Bool { name.rawValue.hasPrefix("lease") || name.rawValue.hasPrefix("block") }

private func nftBody(_ set: SetDefinition) -> String {
  var body = "type " + set.key.map(nftType).joined(separator: " . ") + (set.mapsToMark ? " : mark;" : ";")
  if let size = set.sizeMax { body += " size \(size);" }
  let flags = [set.isInterval ? "interval" : nil, set.hasTimeouts ? "timeout" : nil, set.isDynamic ? "dynamic" : nil]
    .compactMap(\.self)
  if !flags.isEmpty { body += " flags \(flags.joined(separator: ", "));" }
  return body
}

private func nftType(_ part: KeyPart) -> String {
  switch part {
  case .ipv4Address: "ipv4_addr"
  case .ipv6Address: "ipv6_addr"
  case .protocolNumber: "inet_proto"
  case .port: "inet_service"
  case .mark: "mark"
  case .family: "nf_proto"
  }
}

private func nftHook(_ base: ChainDefinition.Base) -> String {
  " { type \(base.kind.rawValue) hook \(base.hook.rawValue) priority \(base.priority); "
    + "policy \(base.drops ? "drop" : "accept"); }"
}

extension SetElement {
  fileprivate var keyAlone: SetElement { SetElement(key, last: last) }
}

private func nftElements(_ verb: String, _ name: SetName, _ elements: [SetElement]) -> String {
  "\(verb) element \(table) \(name.rawValue) { " + elements.map { nftText($0, in: name) }.joined(separator: ", ") + " }"
}

private func nftText(_ element: SetElement, in set: SetName) -> String {
  var text = element.key.indices.map { index in
    let first = nftValue(element.key[index], at: index, in: set)
    guard let last = element.last, last[index] != element.key[index] else { return first }
    return first + "-" + nftValue(last[index], at: index, in: set)
  }.joined(separator: " . ")
  if let timeout = element.timeout { text += " timeout \(max(timeout.milliseconds, 1))ms" }
  // A quotation mark cannot be written in nft's text; the kernel does not mind it.
  if let comment = element.comment, !comment.contains(0x22) {
    text += " comment \"\(String(decoding: comment, as: UTF8.self))\""
  }
  if let mark = element.mark { text += " : \(nftMark(mark))" }
  return text
}

/// What an octet string means follows from its place and length, and in sets with one part from the set.
private func nftValue(_ value: [UInt8], at index: Int, in set: SetName) -> String {
  if index > 0 {
    return value.count == 1 ? nftProtocol(value[0]) : String(value.reduce(0) { $0 << 8 | Int($1) })
  }
  if set == .grants { return nftMark(hostOrder(value)) }
  if set == .gate { return value == [2] ? "ipv4" : "ipv6" }
  return IPAddress(bytes: value)?.description ?? "?"
}

private func nftProtocol(_ number: UInt8) -> String { TransportProtocol(rawValue: number).description }

private func nftMark(_ mark: UInt32) -> String {
  let digits = String(mark, radix: 16)
  return "0x" + String(repeating: "0", count: 8 - digits.count) + digits
}
