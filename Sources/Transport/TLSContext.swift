import COpenSSL
import LinuxIO
import Synchronization

/// Whom a client trusts. The roots are read when the first connection is made, and again after `forgetRoots`.
package final class TLSClientContext: Sendable {
  private let caFile: String?
  private let loaded = Mutex<TLSContext?>(nil)

  /// Where Debian and most images keep the roots: a directory by hash, of which OpenSSL reads only what a chain needs,
  /// and all of them in a file.
  private static let systemDirectory = "/etc/ssl/certs"
  private static let systemFile = "/etc/ssl/certs/ca-certificates.crt"

  /// `caFile`: a PEM bundle that is trusted instead of the system's roots.
  package init(caFile: String? = nil) { self.caFile = caFile }

  /// The next connection reads the roots again: after a refused certificate, since the file may have been replaced.
  package func forgetRoots() { loaded.withLock { $0 = nil } }

  func newConnection() throws(CryptographyFault) -> OpaquePointer {
    let caFile = self.caFile
    let result: Result<UInt, CryptographyFault> = loaded.withLock { loaded in
      do throws(CryptographyFault) {
        if loaded == nil { loaded = try TLSClientContext.load(caFile) }
        guard let context = loaded else { return .failure(CryptographyFault("no TLS context")) }
        return .success(try context.newConnection())
      } catch {
        return .failure(error)
      }
    }
    return try unsafe connection(result.get())
  }

  private static func load(_ caFile: String?) throws(CryptographyFault) -> TLSContext {
    let context = try TLSContext(isServer: false)
    if let caFile {
      try context.trust(file: caFile)
    } else {
      try context.trustSystem()
      let names = (try? Directory(systemDirectory).list()) ?? []
      if !names.contains(where: { $0.hasSuffix(".0") }), names.contains("ca-certificates.crt") {
        try context.trust(file: systemFile)
      }
    }
    return context
  }
}

/// A server's certificate chain and its key, in PEM files, read when made.
package final class TLSServerContext: Sendable {
  private let context: Mutex<TLSContext>

  /// `clientCAFile`: whose certificates clients may present, in PEM; one that none of them issued ends the handshake. A client that presents none is let
  /// in all the same: `TLSConnection.isPeerProved` tells.
  package init(
    certificateFile: String, keyFile: String, clientCAFile: String? = nil
  ) throws(CryptographyFault) {
    let made = try TLSContext(isServer: true)
    try made.identify(certificateFile: certificateFile, keyFile: keyFile)
    if let clientCAFile { try made.askClients(trusting: clientCAFile) }
    context = Mutex(made)
  }

  func newConnection() throws(CryptographyFault) -> OpaquePointer {
    let result: Result<UInt, CryptographyFault> = context.withLock { context in
      do throws(CryptographyFault) {
        return .success(try context.newConnection())
      } catch {
        return .failure(error)
      }
    }
    return try unsafe connection(result.get())
  }
}

/// An `SSL` that leaves a lock: the number is the address of an object that nobody else knows.
private func connection(_ address: UInt) throws(CryptographyFault) -> OpaquePointer {
  guard let pointer = unsafe OpaquePointer(bitPattern: address) else { throw CryptographyFault("no TLS connection") }
  return unsafe pointer
}

/// Owns an `SSL_CTX`. Safe, because the pointer is private and freed once; each `SSL` made of it holds a reference of
/// its own.
@safe final class TLSContext {
  private let pointer: OpaquePointer

  init(isServer: Bool) throws(CryptographyFault) {
    ERR_clear_error()
    guard let made = unsafe SSL_CTX_new(isServer ? TLS_server_method() : TLS_client_method()) else {
      throw .last("TLS context")
    }
    unsafe pointer = unsafe made
    // Macros in C: SSL_CTX_set_min_proto_version and SSL_CTX_set_mode.
    unsafe SSL_CTX_ctrl(pointer, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(TLS1_2_VERSION), nil)
    unsafe SSL_CTX_ctrl(pointer, SSL_CTRL_MODE, Int(SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS), nil)
    // SSL_OP_NO_COMPRESSION (bit 17) and SSL_OP_NO_RENEGOTIATION (bit 30): neither is needed, both were attacks.
    unsafe SSL_CTX_set_options(pointer, 1 << 17 | 1 << 30)
    unsafe SSL_CTX_set_verify(pointer, isServer ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nil)
  }

  deinit { unsafe SSL_CTX_free(pointer) }

  /// The address of a new `SSL`; whoever gets it frees it.
  func newConnection() throws(CryptographyFault) -> UInt {
    ERR_clear_error()
    guard let made = unsafe SSL_new(pointer) else { throw .last("TLS connection") }
    return UInt(bitPattern: made)
  }

  /// The corresponding C function is `SSL_CTX_load_verify_file`.
  func trust(file: String) throws(CryptographyFault) {
    ERR_clear_error()
    guard unsafe SSL_CTX_load_verify_file(pointer, file) == 1 else { throw .last("roots from \(file)") }
  }

  /// The server asks clients for a certificate of these roots. The corresponding C functions are `SSL_CTX_set_client_CA_list`, `SSL_CTX_set_verify`.
  func askClients(trusting file: String) throws(CryptographyFault) {
    try trust(file: file)
    guard let names = unsafe SSL_load_client_CA_file(file) else { throw .last("client CA \(file)") }
    // The context owns the list from here on.
    unsafe SSL_CTX_set_client_CA_list(pointer, names)
    unsafe SSL_CTX_set_verify(pointer, SSL_VERIFY_PEER, nil)
    // Without it a session cannot be resumed where clients are asked (SSL_CTX_set_session_id_context(3)).
    let identifier = Array("sallyport".utf8)
    guard unsafe SSL_CTX_set_session_id_context(pointer, identifier, UInt32(identifier.count)) == 1 else {
      throw .last("session identifier")
    }
  }

  /// SSL_CERT_FILE and SSL_CERT_DIR are honoured. The corresponding C function is `SSL_CTX_set_default_verify_paths`.
  func trustSystem() throws(CryptographyFault) {
    ERR_clear_error()
    guard unsafe SSL_CTX_set_default_verify_paths(pointer) == 1 else { throw .last("system roots") }
  }

  /// The corresponding C functions are `SSL_CTX_use_certificate_chain_file`, `SSL_CTX_use_PrivateKey_file`.
  func identify(certificateFile: String, keyFile: String) throws(CryptographyFault) {
    ERR_clear_error()
    guard unsafe SSL_CTX_use_certificate_chain_file(pointer, certificateFile) == 1 else {
      throw .last("certificate \(certificateFile)")
    }
    guard unsafe SSL_CTX_use_PrivateKey_file(pointer, keyFile, SSL_FILETYPE_PEM) == 1 else {
      throw .last("key \(keyFile)")
    }
    guard unsafe SSL_CTX_check_private_key(pointer) == 1 else { throw .last("certificate and key") }
  }
}
