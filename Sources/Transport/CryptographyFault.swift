import COpenSSL

/// What OpenSSL says went wrong, in its own words.
package struct CryptographyFault: Error, Hashable, Sendable, CustomStringConvertible {
  package let reason: String

  package init(_ reason: String) { self.reason = reason }

  package var description: String { reason }

  /// Takes the oldest error of this thread's queue, which is the cause; later ones are consequences.
  static func last(_ attempt: String) -> CryptographyFault {
    let code = ERR_get_error()
    ERR_clear_error()
    guard code != 0 else { return CryptographyFault(attempt) }
    guard let text = unsafe ERR_reason_error_string(code) else { return CryptographyFault("\(attempt): error \(code)") }
    return CryptographyFault("\(attempt): \(unsafe String(cString: text))")
  }
}
