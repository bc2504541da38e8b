import Addressing
import DNSProxy
import Firewall
import FlowAudit
import HTTPWire
import JSONText
import OwnerIdentity
import PolicyAPI
import Sidecar
import Simulation
import Spool
import Testing
import Timekeeping

/// An owner is bound once, by a proof, and holds from then on and not before.
@Suite struct OwnerTests {
  private static let pod = "0c4c1b3e-9d0f-4a53-8b7e-0f6f0f3d7a11"
  private static let tenant = "11111111-2222-3333-4444-555555555555"
  private static let alice = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
  private static let bob = "bbbbbbbb-bbbb-cccc-dddd-eeeeeeeeeeee"

  private func scene(owner: OwnerState = .unbound, isRequired: Bool = true) throws -> Scene {
    let coordinate = Base64.encodeURL([UInt8](repeating: 7, count: 32))
    let keys = #"{"keys":[{"kty":"EC","crv":"P-256","kid":"k","x":"\#(coordinate)","y":"\#(coordinate)"}]}"#
    return try Scene(owner: owner, ownerIsRequired: isRequired) { settings in
      settings.ownerKeys = (try? KeySet.parse(Array(keys.utf8))) ?? KeySet()
      settings.ownerProof = OwnerProof(issuer: .platform("p"), audience: "egress-sidecar", podUID: Self.pod)
    }
  }

  private func token(_ object: String = alice, id: String = "one", kid: String = "k", more: String = "") -> String {
    let claims =
      #"{"iss":"p","aud":"egress-sidecar","sub":"\#(Self.tenant)/\#(object)","pod_uid":"\#(Self.pod)","iat":1900000000,"exp":1900000300,"jti":"\#(id)"\#(more)}"#
    return
      "\(Base64.encodeURL(Array(#"{"alg":"ES256","kid":"\#(kid)"}"#.utf8))).\(Base64.encodeURL(Array(claims.utf8))).c2ln"
  }

  @Test func test_owner_T16_beforeAnOwnerIsBoundNothingIsAnswered() throws {
    var scene = try scene()
    scene.ask("api.example.com")
    #expect(scene.upstreamQueries.isEmpty)
    scene.putOwner(token(), on: 1)
    scene.answerSignature(.valid)
    scene.ask("api.example.com", id: 2)
    #expect(scene.upstreamQueries.isEmpty && !scene.hasOpenedGate && scene.responses.isEmpty)
    scene.finishKeeps(.ok)
    #expect(scene.hasOpenedGate && scene.responses.isEmpty)
    scene.settleCommit(.committed)
    #expect(scene.responses == [200])
    scene.ask("api.example.com", id: 3)
    #expect(scene.upstreamQueries.count == 1)
  }

  @Test func test_owner_T8_ofTwoThatRaceOneWins() throws {
    var scene = try scene()
    scene.putOwner(token(Self.alice, id: "a"), on: 1)
    scene.putOwner(token(Self.bob, id: "b"), on: 2)
    scene.putOwner(token(Self.alice, id: "c"), on: 3)
    for _ in 0..<3 {
      scene.answerSignature(.valid)
      scene.finishKeeps(.ok)
      scene.settleCommit(.committed)
    }
    #expect(scene.answers == [1: 200, 2: 409, 3: 200])
    #expect(scene.keptFiles == [KeptOwner.file])
  }

  @Test func test_owner_T5_aSecondOwnerIsRefusedAndChangesNothing() throws {
    var scene = try scene()
    scene.bindOwner(token())
    scene.effects = []
    scene.putOwner(token(Self.bob, id: "two"), on: 2)
    scene.answerSignature(.valid)
    #expect(scene.answers == [2: 409] && scene.keeps.isEmpty)
    scene.putOwner(token(id: "three", more: #","session_id":"another""#), on: 3)
    scene.answerSignature(.valid)
    #expect(scene.answers[3] == 409)
    #expect(
      scene.records("OwnerChange").compactMap { $0["EventOriginalResultDetails"]?.string } == [
        "OWNER_BOUND", "SESSION_BOUND",
      ])
    #expect(scene.records("OwnerChange").allSatisfy { $0["SrcUserAadId"]?.string == Self.alice })
  }

  @Test func aProofThatFailsIsRecordedByNameAndAnswered401() throws {
    var scene = try scene()
    scene.putOwner("not a token", on: 1)
    scene.putOwner(token(kid: "other"), on: 2)
    scene.putOwner(token(), on: 3)
    scene.answerSignature(.invalid)
    scene.putOwner(token(), on: 4)
    scene.answerSignature(.unusableKey)
    scene.putOwner(token(more: #","policy_sha256":"\#(String(repeating: "0", count: 64))""#), on: 5)
    scene.answerSignature(.valid)
    #expect(scene.answers == [1: 401, 2: 401, 3: 401, 4: 401, 5: 401])
    let records = scene.records("OwnerChange")
    #expect(
      records.compactMap { $0["EventOriginalResultDetails"]?.string }
        == ["TOKEN_MALFORMED", "KEY_UNKNOWN", "SIGNATURE_INVALID", "KEY_UNUSABLE", "POLICY_MISMATCH"])
    #expect(records.allSatisfy { $0["SrcUserAadId"] == nil && $0["Operation"]?.string == "OwnerProofRefused" })
    #expect(scene.keptFiles.isEmpty && !scene.hasOpenedGate)
  }

  @Test func anOwnerThatCannotBeKeptIsNotBound() throws {
    var scene = try scene()
    scene.putOwner(token(), on: 1)
    scene.putOwner(token(Self.bob, id: "two"), on: 2)
    scene.answerSignature(.valid)
    scene.finishKeeps(.failed(reason: "ENOSPC"))
    #expect(scene.answers == [1: 500] && !scene.hasOpenedGate)
    scene.answerSignature(.valid)
    scene.finishKeeps(.ok)
    scene.settleCommit(.committed)
    #expect(scene.answers == [1: 500, 2: 200])
  }

  @Test func recordsBeforeBindingStayUnboundAlsoWhenTheKernelTellsLate() throws {
    var scene = try scene()
    scene.denied(port: 1)
    scene.bindOwner(token(more: #","session_id":"s-1","claim_uid":"c-1""#))
    // Denied while the gate was closed, told of after it opened.
    scene.denied(port: 2)
    scene.denied(port: 2, from: 50_000)
    scene.pass(.seconds(11))
    scene.ask("evil.test")
    let denied = scene.records("FlowDenied")
    #expect(denied.count == 3)
    for record in denied {
      #expect(
        record["EventOriginalResultDetails"]?.string == "OWNER_UNBOUND" && record["SbxOwnerState"]?.string == "unbound")
      #expect(record["SrcUserAadId"] == nil && record["SbxSessionId"] == nil)
    }
    let name = try #require(scene.records("DnsDenied").last)
    #expect(
      name["SrcUserAadId"]?.string == Self.alice && name["SbxSessionId"]?.string == "s-1"
        && name["SbxClaimUid"]?.string == "c-1")
    #expect(name["SbxOwnerBindingId"]?.string == "one" && name["SbxOwnerSource"]?.string == "token")
  }

  @Test func test_owner_T9_aTokenThatVanishesOrChangesIsOnRecordAndChangesNothing() throws {
    var scene = try scene()
    scene.handle(.ownerTokenRead(Array(token().utf8)))
    scene.answerSignature(.valid)
    scene.finishKeeps(.ok)
    scene.settleCommit(.committed)
    scene.handle(.ownerTokenRead(nil))
    scene.endTurn()
    scene.handle(.ownerTokenRead(Array("sallyport.dev/owner-token=\"\(token(Self.bob, id: "two"))\"".utf8)))
    scene.answerSignature(.valid)
    scene.handle(.ownerTokenRead(Array("\(Self.tenant)/\(Self.bob)".utf8)))
    scene.endTurn()
    // The same again is no news.
    scene.handle(.ownerTokenRead(Array("\(Self.tenant)/\(Self.bob)".utf8)))
    scene.endTurn()
    #expect(
      scene.records("OwnerChange").compactMap { $0["Operation"]?.string }
        == ["OwnerBind", "OwnerTokenVanished", "OwnerRebindRefused", "OwnerProofRefused"])
    #expect(scene.records("OwnerChange").allSatisfy { $0["SrcUserAadId"]?.string == Self.alice })
  }

  @Test func test_owner_T13_aTokenOfTheFileThatComesBeforeItsKeyBindsWhenTheKeyDoes() throws {
    var scene = try scene()
    scene.handle(.ownerTokenRead(Array(token(kid: "new").utf8)))
    scene.endTurn()
    scene.handle(.ownerKeysRead(Array("{".utf8)))
    scene.handle(.ownerKeysRead(nil))
    let coordinate = Base64.encodeURL([UInt8](repeating: 9, count: 32))
    scene.handle(
      .ownerKeysRead(
        Array(#"{"keys":[{"kty":"EC","crv":"P-256","kid":"new","x":"\#(coordinate)","y":"\#(coordinate)"}]}"#.utf8)))
    scene.answerSignature(.valid)
    scene.finishKeeps(.ok)
    scene.settleCommit(.committed)
    #expect(scene.records("OwnerChange").compactMap { $0["Operation"]?.string } == ["OwnerProofRefused", "OwnerBind"])
    // The key that was rotated out proves nothing any more.
    scene.putOwner(token(id: "four"), on: 4)
    #expect(scene.answers[4] == 401)
  }

  @Test func aTokenForAPolicyBindsOnceThatPolicyIsInForce() throws {
    var scene = try scene()
    let wanted = #"{"egress":[],"defaultAction":"deny"}"#
    let hash = testDigest(Array(wanted.utf8)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    scene.handle(.ownerTokenRead(Array(token(more: #","policy_sha256":"\#(hash)""#).utf8)))
    scene.answerSignature(.valid)
    #expect(scene.records("OwnerChange").compactMap { $0["EventOriginalResultDetails"]?.string } == ["POLICY_MISMATCH"])
    scene.put(wanted, on: 8)
    scene.settleCommit(.committed)
    scene.finishKeeps(.ok)
    #expect(scene.answers[8] == 200)
    scene.answerSignature(.valid)
    scene.finishKeeps(.ok)
    scene.settleCommit(.committed)
    #expect(scene.records("OwnerChange").last?["Operation"]?.string == "OwnerBind")
  }

  @Test func withoutNeedOfAnOwnerABindingChangesRecordsOnly() throws {
    var scene = try scene(isRequired: false)
    scene.forgetCommits()
    scene.bindOwner(token())
    #expect(!scene.hasOpenedGate)
    scene.ask("evil.test")
    #expect(scene.records("DnsDenied").last?["SrcUserAadId"]?.string == Self.alice)
  }

  @Test func aStaticOwnerIsOnRecordAndIsNotReplaced() throws {
    let owner = OwnerBinding(
      owner: try OwnerID.parse("\(Self.tenant)/\(Self.bob)"), bindingID: "static", source: .static,
      boundAt: WallTime(microseconds: 0))
    var scene = try scene(owner: .bound(owner))
    #expect(scene.records("OwnerChange").compactMap { $0["Operation"]?.string } == ["OwnerBind"])
    scene.putOwner(token(), on: 1)
    scene.answerSignature(.valid)
    scene.putOwner(token(Self.bob), on: 2)
    scene.answerSignature(.valid)
    #expect(scene.answers == [1: 409, 2: 200])
  }
}

extension Scene {
  mutating func putOwner(_ token: String, on connection: UInt64) {
    var headers: HeaderFields = [:]
    headers.append("OPENSANDBOX-EGRESS-AUTH", Array("secret".utf8))
    handle(
      .requestReceived(
        connection,
        HTTPRequest(
          method: "PUT", target: "/owner", path: "/owner", headers: headers, body: Array(#"{"token":"\#(token)"}"#.utf8)
        )))
    endTurn()
  }

  /// OpenSSL's word on the signature asked about last.
  mutating func answerSignature(_ outcome: SignatureCheck.Outcome) {
    let asked = effects.lazy.compactMap { if case .checkSignature(let id, _) = $0 { id } else { nil } }.last
    if let asked { handle(.signatureChecked(asked, outcome)) }
    endTurn()
  }

  mutating func finishKeeps(_ outcome: StorageOutcome) {
    let ids = keeps
    keptFiles += effects.compactMap { if case .keep(_, let file, _) = $0 { file } else { nil } }
    effects.removeAll { if case .keep = $0 { true } else { false } }
    for id in ids { handle(.kept(id, outcome)) }
    endTurn()
  }

  mutating func bindOwner(_ token: String) {
    putOwner(token, on: 77)
    answerSignature(.valid)
    finishKeeps(.ok)
    settleCommit(.committed)
  }

  /// The kernel tells of a flow that the closed gate denied.
  mutating func denied(port: UInt16, from sourcePort: UInt16 = 40_000) {
    let source = Endpoint(.v4(IPv4Address(10, 1, 1, 1)), sourcePort)
    let destination = Endpoint(Scene.address, port)
    handle(
      .conntrack(
        ConntrackEvent(
          kind: .new, identifier: UInt32(port),
          original: FlowTuple(source: source, destination: destination, transport: .tcp),
          reply: FlowTuple(source: destination, destination: source, transport: .tcp), mark: FlowMark.deniedByGate)))
    endTurn()
  }

  /// Status by connection.
  var answers: [UInt64: Int] {
    var found: [UInt64: Int] = [:]
    for case .respond(let connection, let response) in effects { found[connection] = response.status }
    return found
  }

  /// The records of a kind that were written to the spool's files, in order.
  func records(_ kind: String) -> [JSONValue] {
    let opening = Array(#"{"SbxChain":"#.utf8)
    var found: [JSONValue] = []
    for (_, content) in files.sorted(by: { $0.key < $1.key }) {
      var at = 0
      while let start = content[at...].firstIndex(of: 0x7b) {
        at = start + 1
        guard content[start...].starts(with: opening) else { continue }
        var depth = 0
        guard
          let end = content[start...].firstIndex(where: { octet in
            if octet == 0x7b { depth += 1 }
            if octet == 0x7d { depth -= 1 }
            return depth == 0
          })
        else { break }
        at = end + 1
        if let record = try? JSONValue.parse(Array(content[start...end])), record["SbxRecordKind"]?.string == kind {
          found.append(record)
        }
      }
    }
    return found
  }
}
