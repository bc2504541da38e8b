/// A signature that OpenSSL is to judge.
package struct SignatureCheck: Hashable, Sendable {
  package var key: KeyNumbers
  package var message: [UInt8]
  package var signature: [UInt8]

  package init(of token: SignedToken, by key: KeySet.Key) {
    self.key = key.numbers
    message = token.message
    signature = token.signature
  }

  package enum Outcome: Hashable, Sendable {
    case valid
    case invalid
    /// The numbers are no key: a point off its curve, for instance.
    case unusableKey
  }
}
