// Transport: TLS and digests by OpenSSL 3, and HTTPS exchanges on top. We own no cryptography.
//
//   SHA256, HMACSHA256     digests of records, signatures of SAS tokens
//   constantTimeEqual      comparing secrets
//   SignatureVerifier      RS256, PS256, ES256, EdDSA over a JWK's numbers
//   SigningKey             RS256 and ES256 with a private key in PEM
//   TLSClientContext       whom we trust; roots are read when the first connection needs them
//   TLSServerContext       a certificate and its key
//   TLSConnection          TLS over memory: octets in, octets out, no socket
//   TLSStream              a TLSConnection on a TCPStream, blocking up to a deadline (for threads of their own)
//   HTTPSClient            one kept connection, one exchange at a time, and an outcome that never guesses
//
// Constraints. TLS 1.2 at least; the chain and the name (or address) are always verified, with no way to switch it off.
// Everything that waits has a deadline and waits in poll(2). The event loop never runs any of this: a worker thread
// does, for a handshake is milliseconds of arithmetic.
//
// Failures. What the forwarder does next depends on what the peer may have done: `HTTPSOutcome` tells apart "it cannot
// have seen the request" (notConnected, tlsRefused), "it may have" (droppedOnReuse, ambiguous), and "it answered,
// whole" (response).
//
// Every `unsafe` in this module hands OpenSSL memory that outlives the call, or an object of OpenSSL's that its Swift
// owner frees in deinit. The owners are classes that one thread uses at a time: by being confined to a `Mutex`, or by
// not being Sendable.
