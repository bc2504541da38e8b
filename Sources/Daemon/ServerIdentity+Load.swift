import Configuration
import Transport

extension ServerIdentity {
  /// Reads the files as they are now.
  func load() throws(CryptographyFault) -> TLSServerContext {
    try TLSServerContext(certificateFile: certificateFile, keyFile: keyFile, clientCAFile: clientCAFile)
  }
}
