import OwnerIdentity
import Testing
import Timekeeping

private let tenant = "11111111-2222-3333-4444-555555555555"
private let object = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"

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
    #expect(!ownership.permitsEgress)
    #expect(ownership.bind(first) == .bound)
    #expect(ownership.bind(try binding("\(tenant)/\(object)", "2")) == .same)
    #expect(ownership.bind(try binding("\(object)/\(tenant)", "3")) == .refused(current: first))
    #expect(ownership.state == .bound(first) && ownership.permitsEgress)
  }

  @Test func withoutNeedOfAnOwnerEgressIsForThePolicyToDecide() {
    #expect(Ownership(isRequired: false).permitsEgress)
    #expect(OwnerState.unbound.text == "unbound" && OwnerState.unbound.binding == nil)
  }
}
