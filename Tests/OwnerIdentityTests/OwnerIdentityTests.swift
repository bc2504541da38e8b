import OwnerIdentity
import Testing
import Timekeeping

@Suite struct OwnerIdentityTests {
  @Test func guidsAreKeptInLowerCase() throws {
    let owner = try OwnerID.parse("\(tenant)/\(object.uppercased())")
    #expect(owner.tenant == tenant && owner.object == object)
    #expect(try OwnerID.parse(owner.description) == owner)
  }

  @Test(arguments: [
    ("", OwnerID.ParseError.notTwoParts), (object, .notTwoParts), ("\(tenant)/\(object)/x", .notTwoParts),
    ("/\(object)", .badTenant), ("\(tenant)/", .badObject), (" \(tenant)/\(object)", .badTenant),
    ("\(tenant)/\(object)\n", .badObject), ("{\(tenant)}/\(object)", .badTenant),
    ("\(tenant)/aaaaaaaabbbbccccddddeeeeeeeeeeee", .badObject),
    ("\(tenant)/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeeg", .badObject),
    ("\(tenant)/aaaaaaaa-bbbb-cccc-ddddeeeeeeeeeeee-", .badObject),
    ("\(tenant)/00000000-0000-0000-0000-000000000000", .zeros),
  ])
  func anythingElseIsRefused(_ text: String, _ reason: OwnerID.ParseError) {
    #expect(throws: reason) { try OwnerID.parse(text) }
  }

  @Test func theFirstBindingStands() throws {
    func binding(_ owner: String, _ id: String) throws -> OwnerBinding {
      OwnerBinding(owner: try OwnerID.parse(owner), bindingID: id, source: .token, boundAt: WallTime(microseconds: 0))
    }
    let first = try binding("\(tenant)/\(object)", "1")
    var ownership = Ownership(isRequired: true)
    #expect(!ownership.permitsEgress && ownership.judge(first) == .first)
    ownership.bind(first)
    ownership.bind(try binding("\(object)/\(tenant)", "4"))
    #expect(ownership.judge(try binding("\(tenant)/\(object)", "2")) == .same)
    #expect(ownership.judge(try binding("\(object)/\(tenant)", "3")) == .refused(current: first))
    #expect(ownership.state == .bound(first) && ownership.permitsEgress)
  }

  @Test func anotherSessionOfTheSameOwnerIsAnotherBinding() throws {
    func binding(_ session: String?, _ claim: String?) throws -> OwnerBinding {
      OwnerBinding(
        owner: try OwnerID.parse("\(tenant)/\(object)"), bindingID: "1", source: .token, boundAt: now,
        sessionID: session,
        claimUID: claim)
    }
    var ownership = Ownership(isRequired: true)
    ownership.bind(try binding("s", "c"))
    for (session, claim, isSame) in [
      ("s", "c", true), (nil, nil, true), ("t", "c", false), ("s", "d", false), (nil, "c", true),
    ] {
      #expect((ownership.judge(try binding(session, claim)) == .same) == isSame)
    }
  }

  @Test func theKeptOwnerReadsBackAndHasNothingOfTheToken() throws {
    let binding = OwnerBinding(
      owner: try OwnerID.parse("\(tenant)/\(object)"), bindingID: "1", source: .token, boundAt: now, sessionID: "s\"",
      claimUID: nil)
    let kept = KeptOwner(podUID: pod, binding: binding)
    #expect(try KeptOwner.parse(kept.composed) == kept)
    for cut in kept.composed.indices.dropLast() {
      #expect(throws: KeptOwner.Problem.self) { try KeptOwner.parse(Array(kept.composed[..<cut])) }
    }
    #expect(throws: KeptOwner.Problem.self) {
      try KeptOwner.parse(Array(String(decoding: kept.composed, as: UTF8.self).replacing(object, with: "nobody").utf8))
    }
  }

  @Test(
    arguments: [
      ("a.b.c", "a.b.c"), ("  a.b.c \n\n", "a.b.c"), ("a.b.c\r\n", "a.b.c"), ("", nil), ("\n", nil),
      ("sallyport.dev/owner-token=\"a.b.c\"", "a.b.c"),
      ("kubernetes.io/config.seen=\"2026\"\nsallyport.dev/owner-token=\"a.b.c\"\nz=\"1\"\n", "a.b.c"),
      ("kubernetes.io/config.seen=\"2026\"\n", nil), ("sallyport.dev/owner-token=\"\"", nil),
      ("sallyport.dev/owner-token=\"a\"\nsallyport.dev/owner-token=\"b\"", nil),
      ("sallyport.dev/owner-tokens=\"a\"", nil), ("evil=\"x\\nsallyport.dev/owner-token=\\\"a\\\"\"", nil),
      ("a.b.c\nd.e.f", nil),
      ("sallyport.dev/owner-token=\"", nil),
    ] as [(String, String?)])
  func aTokenIsFoundAloneOrAmongAnnotations(_ file: String, _ token: String?) {
    #expect(TokenFile.token(in: Array(file.utf8)) == token.map { Array($0.utf8) })
  }

  @Test func withoutNeedOfAnOwnerEgressIsForThePolicyToDecide() {
    #expect(Ownership(isRequired: false).permitsEgress)
    #expect(OwnerState.unbound.text == "unbound" && OwnerState.unbound.binding == nil)
  }
}
