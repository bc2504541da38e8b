import Testing
import Transport

@Suite struct TLSConnectionTests {
  /// What the client and the server say in the end, with everything carried between them in memory.
  private struct Handshake {
    let client: TLSConnection
    let server: TLSConnection
    var clientFailure: TLSFailure?
    var serverFailure: TLSFailure?
  }

  private func handshake(
    _ server: TLSServerContext, _ client: TLSClientContext, name: String, pieces: Int = Int.max
  ) throws -> Handshake {
    var both = Handshake(
      client: try TLSConnection(client, serverName: name), server: try TLSConnection(server))
    for _ in 0..<20 {
      do throws(TLSFailure) { _ = try both.client.handshake() } catch { both.clientFailure = error }
      carry(from: both.client, to: both.server, pieces)
      do throws(TLSFailure) { _ = try both.server.handshake() } catch { both.serverFailure = error }
      carry(from: both.server, to: both.client, pieces)
      if both.clientFailure != nil { break }
    }
    return both
  }

  private func carry(from: TLSConnection, to: TLSConnection, _ pieces: Int = Int.max) {
    var octets = from.takeOutgoing()
    while !octets.isEmpty {
      to.receive(Array(octets.prefix(pieces)))
      octets.removeFirst(min(pieces, octets.count))
    }
  }

  @Test(arguments: ["localhost", "127.0.0.1", "::1", "LOCALHOST"])
  func rightNameCarriesBothWays(_ name: String) throws {
    let made = try Certificates.made.get()
    let both = try handshake(made.server("good"), made.client, name: name, pieces: 7)
    #expect(both.clientFailure == nil && both.serverFailure == nil)
    #expect(both.client.version == "TLSv1.3")
    let long = (0..<100_000).map { UInt8(truncatingIfNeeded: $0) }
    try both.client.send(long)
    carry(from: both.client, to: both.server)
    var got: [UInt8] = []
    while case .octets = try both.server.read(into: &got) {}
    #expect(got == long)
    try both.server.send([1])
    both.server.close()
    carry(from: both.server, to: both.client)
    var answer: [UInt8] = []
    #expect(try both.client.read(into: &answer) == .octets(1))
    #expect(try both.client.read(into: &answer) == .end)
  }

  @Test(arguments: [
    ("other", "localhost", "hostname mismatch"),
    ("good", "127.0.0.2", "IP address mismatch"),
    ("good", "notlocalhost", "hostname mismatch"),
    ("wildcard", "a.b.example.test", "hostname mismatch"),
    ("wildcard", "example.test", "hostname mismatch"),
    ("expired", "localhost", "certificate has expired"),
    ("stranger", "localhost", "unable to get local issuer certificate"),
  ]) func wrongCertificateIsRefusedWithItsReason(_ certificate: String, _ name: String, _ reason: String) throws {
    let made = try Certificates.made.get()
    let both = try handshake(made.server(certificate), made.client, name: name)
    #expect(both.clientFailure == .certificate(reason))
    // The server is told by an alert, and says so as often as it is asked.
    var octets: [UInt8] = []
    #expect(both.serverFailure != nil)
    #expect(throws: TLSFailure.self) { try both.server.read(into: &octets) }
  }

  @Test func wildcardStandsForOneLabel() throws {
    let made = try Certificates.made.get()
    #expect(try handshake(made.server("wildcard"), made.client, name: "a.example.test").clientFailure == nil)
  }

  @Test func systemRootsDoNotTrustOurs() throws {
    let made = try Certificates.made.get()
    let both = try handshake(made.server("good"), TLSClientContext(), name: "localhost")
    #expect(both.clientFailure == .certificate("unable to get local issuer certificate"))
  }

  @Test func missingFilesAreNamed() throws {
    let made = try Certificates.made.get()
    let client = TLSClientContext(caFile: "/nowhere/ca.pem")
    let fault = #expect(throws: CryptographyFault.self) { try TLSConnection(client, serverName: "localhost") }
    #expect(fault?.reason.contains("/nowhere/ca.pem") == true)
    #expect(throws: CryptographyFault.self) {
      try TLSServerContext(certificateFile: made.path("good.pem"), keyFile: made.path("other.key"))
    }
  }

  @Test func streamWithoutItsEndIsCutOff() throws {
    let made = try Certificates.made.get()
    let both = try handshake(made.server("good"), made.client, name: "localhost")
    try both.server.send([1, 2])
    carry(from: both.server, to: both.client)
    both.client.receiveEnd()
    var octets: [UInt8] = []
    #expect(try both.client.read(into: &octets) == .octets(2))
    #expect(throws: TLSFailure.cutOff) { try both.client.read(into: &octets) }
  }

  @Test func whatIsNotTLSIsAProtocolFault() throws {
    let made = try Certificates.made.get()
    let client = try TLSConnection(made.client, serverName: "localhost")
    _ = try client.handshake()
    client.receive(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8))
    let failure = #expect(throws: TLSFailure.self) { try client.handshake() }
    guard case .protocolFault(let reason) = failure else {
      Issue.record("\(String(describing: failure))")
      return
    }
    #expect(reason.contains("wrong version number"))
  }

  @Test func alteredRecordIsRefused() throws {
    let made = try Certificates.made.get()
    let both = try handshake(made.server("good"), made.client, name: "localhost")
    try both.client.send([1, 2, 3])
    var octets = both.client.takeOutgoing()
    octets[octets.count - 1] ^= 1
    both.server.receive(octets)
    var got: [UInt8] = []
    #expect(throws: TLSFailure.self) { try both.server.read(into: &got) }
    #expect(got.isEmpty)
  }
}
