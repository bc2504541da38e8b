import Addressing
import COpenSSL

/// Why a TLS connection is of no use.
package enum TLSFailure: Error, Hashable, Sendable, CustomStringConvertible {
  /// The peer's certificate does not prove who it should be: `certificate has expired`, `hostname mismatch`.
  case certificate(String)
  /// Anything else that TLS does not allow.
  case protocolFault(String)
  /// The stream ended without close_notify: what came before may have been cut short.
  case cutOff

  package var description: String {
    switch self {
    case .certificate(let reason): "certificate: \(reason)"
    case .protocolFault(let reason): "TLS: \(reason)"
    case .cutOff: "TLS: the stream was cut off"
    }
  }
}

/// TLS over memory: what came from the network goes in with `receive`, what must go out comes out with `takeOutgoing`,
/// after every call. Safe, because the pointers are private, freed once, and the object stays on one thread (it is not
/// Sendable).
@safe package final class TLSConnection {
  package enum ReadOutcome: Hashable, Sendable {
    case octets(Int)
    /// The peer said that it sends no more (close_notify).
    case end
    /// Nothing before more comes from the network.
    case wouldBlock
  }

  private let connection: OpaquePointer
  private let fromNetwork: OpaquePointer
  private let toNetwork: OpaquePointer
  private var hasEnded = false
  /// Said again by every later call: OpenSSL itself would call what follows a fatal alert an orderly end.
  private var failure: TLSFailure?

  /// A client that accepts `serverName` only: a DNS name, which is also told to the server (RFC 6066 §3), or the text
  /// of an address.
  package convenience init(_ context: TLSClientContext, serverName: String) throws(CryptographyFault) {
    try unsafe self.init(owning: context.newConnection())
    try expect(serverName)
    unsafe SSL_set_connect_state(connection)
  }

  package convenience init(_ context: TLSServerContext) throws(CryptographyFault) {
    try unsafe self.init(owning: context.newConnection())
    unsafe SSL_set_accept_state(connection)
  }

  private init(owning made: OpaquePointer) throws(CryptographyFault) {
    guard let input = unsafe BIO_new(BIO_s_mem()) else {
      unsafe SSL_free(made)
      throw .last("memory BIO")
    }
    guard let output = unsafe BIO_new(BIO_s_mem()) else {
      unsafe BIO_free(input)
      unsafe SSL_free(made)
      throw .last("memory BIO")
    }
    // BIO_set_mem_eof_return(-1): an empty BIO means "later", until `receiveEnd`.
    unsafe BIO_ctrl(input, BIO_C_SET_BUF_MEM_EOF_RETURN, -1, nil)
    unsafe BIO_ctrl(output, BIO_C_SET_BUF_MEM_EOF_RETURN, -1, nil)
    // From here `SSL_free` frees both.
    unsafe SSL_set_bio(made, input, output)
    unsafe connection = unsafe made
    unsafe fromNetwork = unsafe input
    unsafe toNetwork = unsafe output
  }

  deinit { unsafe SSL_free(connection) }

  private func expect(_ serverName: String) throws(CryptographyFault) {
    ERR_clear_error()
    if IPAddress(serverName) != nil {
      // RFC 6066 §3 forbids addresses in SNI; the certificate must name the address (RFC 9110 §4.3.5).
      guard unsafe X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(connection), serverName) == 1 else {
        throw .last("server address \(serverName)")
      }
      return
    }
    guard !serverName.isEmpty, !serverName.utf8.contains(0) else { throw CryptographyFault("invalid server name") }
    unsafe SSL_set_hostflags(connection, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
    guard unsafe SSL_set1_host(connection, serverName) == 1 else { throw .last("server name \(serverName)") }
    // SSL_set_tlsext_host_name is a macro of this call, which copies the name.
    let accepted = unsafe serverName.withCString { name in
      unsafe SSL_ctrl(
        connection, SSL_CTRL_SET_TLSEXT_HOSTNAME, Int(TLSEXT_NAMETYPE_host_name),
        UnsafeMutableRawPointer(mutating: name))
    }
    guard accepted == 1 else { throw .last("server name \(serverName)") }
  }

  /// Octets from the network. The corresponding C function is `BIO_write`.
  package func receive(_ octets: [UInt8]) {
    guard !octets.isEmpty else { return }
    // A memory BIO takes everything, or memory is exhausted and the process ends elsewhere.
    unsafe BIO_write(fromNetwork, octets, Int32(octets.count))
  }

  /// The network stream ended: without close_notify before, a `.cutOff`.
  package func receiveEnd() {
    hasEnded = true
    unsafe BIO_ctrl(fromNetwork, BIO_C_SET_BUF_MEM_EOF_RETURN, 0, nil)
  }

  /// What must go to the network now; after an error too, for it may hold the alert that tells the peer. The
  /// corresponding C function is `BIO_read`.
  package func takeOutgoing() -> [UInt8] {
    let pending = unsafe BIO_ctrl_pending(toNetwork)
    guard pending > 0 else { return [] }
    return unsafe [UInt8](unsafeUninitializedCapacity: pending) { buffer, count in
      count = Int(max(0, unsafe BIO_read(toNetwork, buffer.baseAddress, Int32(clamping: pending))))
    }
  }

  /// Goes on with the handshake; true when it is complete. The corresponding C function is `SSL_do_handshake`.
  package func handshake() throws(TLSFailure) -> Bool {
    ERR_clear_error()
    let result = unsafe SSL_do_handshake(connection)
    if result == 1 { return true }
    if try wantsMore(result, "handshake") { return false }
    throw .cutOff
  }

  /// Encrypts all of `octets`; the handshake must be complete. The corresponding C function is `SSL_write`.
  package func send(_ octets: [UInt8]) throws(TLSFailure) {
    var done = 0
    while done < octets.count {
      ERR_clear_error()
      // At most a record: the length fits, and the pointer stays within the array.
      let size = Int32(min(octets.count - done, 16_384))
      let result = unsafe octets.withUnsafeBytes {
        unsafe SSL_write(connection, $0.baseAddress.map { unsafe $0 + done }, size)
      }
      if result > 0 {
        done += Int(result)
      } else if try wantsMore(result, "send") {
        throw .protocolFault("send before the handshake")
      } else {
        throw .cutOff
      }
    }
  }

  /// Appends decrypted octets to `buffer`, a record at most. The corresponding C function is `SSL_read`.
  package func read(into buffer: inout [UInt8]) throws(TLSFailure) -> ReadOutcome {
    ERR_clear_error()
    let start = buffer.count
    let result = unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 16_384) { scratch -> Int32 in
      let got = unsafe SSL_read(connection, scratch.baseAddress, Int32(scratch.count))
      if got > 0 { unsafe buffer.append(contentsOf: UnsafeBufferPointer(rebasing: scratch[..<Int(got)])) }
      return got
    }
    if result > 0 { return .octets(buffer.count - start) }
    return try wantsMore(result, "read") ? .wouldBlock : .end
  }

  /// Says that we send no more. The corresponding C function is `SSL_shutdown`.
  package func close() {
    ERR_clear_error()
    unsafe SSL_shutdown(connection)
    ERR_clear_error()
  }

  /// The peer presented a certificate, and it was verified. The corresponding C function is `SSL_get0_peer_certificate`.
  package var isPeerProved: Bool {
    unsafe SSL_get0_peer_certificate(connection) != nil && SSL_get_verify_result(connection) == Int(X509_V_OK)
  }

  /// `TLSv1.3`. The corresponding C function is `SSL_get_version`.
  package var version: String { unsafe SSL_get_version(connection).map { unsafe String(cString: $0) } ?? "" }

  /// True: more must come from the network first; false: the peer closed with close_notify.
  private func wantsMore(_ result: Int32, _ attempt: String) throws(TLSFailure) -> Bool {
    if let failure { throw failure }
    do throws(TLSFailure) {
      return try judge(result, attempt)
    } catch {
      failure = error
      throw error
    }
  }

  private func judge(_ result: Int32, _ attempt: String) throws(TLSFailure) -> Bool {
    switch unsafe SSL_get_error(connection, result) {
    case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE:
      if hasEnded { throw .cutOff }
      return true
    case SSL_ERROR_ZERO_RETURN: return false
    case SSL_ERROR_SYSCALL:
      throw hasEnded ? .cutOff : .protocolFault(CryptographyFault.last(attempt).reason)
    default:
      let verification = unsafe SSL_get_verify_result(connection)
      if verification != Int(X509_V_OK), let text = unsafe X509_verify_cert_error_string(verification) {
        ERR_clear_error()
        throw .certificate(unsafe String(cString: text))
      }
      // "unexpected eof while reading": OpenSSL's word for a missing close_notify.
      let code = ERR_peek_error()
      if hasEnded, code & 0x7F_FFFF == UInt(SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        ERR_clear_error()
        throw .cutOff
      }
      throw .protocolFault(CryptographyFault.last(attempt).reason)
    }
  }
}
