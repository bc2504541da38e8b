/// A composed answer without OPT that may be sent to many clients: each gets its own identifier, flags, spelling of the
/// question, times and OPT.
package struct Reply: Sendable {
  /// Made by `MessageComposer` or by `Reply.init`; OPT is not in it.
  package private(set) var bytes: [UInt8]
  package let questionEnd: Int

  /// `bytes` come from a composer whose question ends at `questionEnd`, and hold no OPT.
  package init(composed bytes: [UInt8], questionEnd: Int) {
    self.bytes = bytes
    self.questionEnd = questionEnd
  }

  /// A reply without records that echoes the question of `query`; `questionEnd` 12 leaves the question out.
  package init(to query: [UInt8], questionEnd: Int, flags: UInt16) {
    let composer = MessageComposer(
      Header(id: 0, flags: flags), questionIn: Header.length..<questionEnd, of: query, reserving: questionEnd + 48)
    bytes = composer.bytes
    self.questionEnd = questionEnd
  }

  package var flags: UInt16 {
    get { word(bytes, 2) }
    set { put(newValue, at: 2) }
  }

  package var id: UInt16 {
    get { word(bytes, 0) }
    set { put(newValue, at: 0) }
  }

  /// Takes the question's spelling from `query`, whose question has the same length.
  package mutating func echoQuestion(of query: [UInt8]) {
    guard query.count >= questionEnd else { return }
    for index in Header.length..<questionEnd where bytes[index] != query[index] { bytes[index] = query[index] }
  }

  /// Lowers every TTL by `age` seconds, and then to at most `limit` seconds.
  package mutating func lowerTTLs(age: UInt32, limit: UInt32) {
    guard age > 0 || limit < UInt32.max else { return }
    var at = questionEnd
    // Walks records of our own making: well formed by construction, and bounded by the count of octets all the same.
    while at < bytes.count {
      while at < bytes.count, bytes[at] != 0, bytes[at] < 0xc0 { at += 1 + Int(bytes[at]) }
      guard at < bytes.count else { return }
      at += bytes[at] == 0 ? 1 : 2
      guard at + 10 <= bytes.count else { return }
      let ttl = doubleWord(bytes, at + 4)
      let lower = min(ttl > age ? ttl - age : 0, limit)
      if lower != ttl {
        put(UInt16(truncatingIfNeeded: lower >> 16), at: at + 4)
        put(UInt16(truncatingIfNeeded: lower), at: at + 6)
      }
      at += 10 + Int(word(bytes, at + 8))
    }
  }

  /// Drops all records and says so with TC: the client asks again by TCP (RFC 2181 §9).
  package mutating func truncate() {
    bytes.removeSubrange(questionEnd...)
    for index in 6..<Header.length { bytes[index] = 0 }
    flags |= 0x0200
  }

  /// Appends OPT; nothing else may follow.
  package mutating func append(_ edns: EDNS) { appendOPT(edns, to: &bytes) }

  private mutating func put(_ value: UInt16, at index: Int) {
    bytes[index] = UInt8(truncatingIfNeeded: value >> 8)
    bytes[index + 1] = UInt8(truncatingIfNeeded: value)
  }
}
