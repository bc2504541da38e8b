import DNSWire

extension DomainName {
  /// The domain that somebody registered and answers for: one label below the longest public suffix, of which only the ICANN section counts
  /// (publicsuffix.org/list). The name itself, in lower case, when it is no longer than that.
  package var registrableDomain: DomainName {
    let offsets = labelOffsets
    guard offsets.count > 2 else { return lowercase }
    for start in offsets.dropLast().reversed() {
      var text: [UInt8] = []
      var at = start
      while wire[at] != 0 {
        if at > start { text.append(0x2e) }
        for octet in wire[(at + 1)...(at + Int(wire[at]))] { text.append(lowercased(octet)) }
        at += 1 + Int(wire[at])
      }
      if !isPublicSuffix(text) { return DomainName(checkedWire: Array(wire[start...])).lowercase }
    }
    return lowercase
  }
}
