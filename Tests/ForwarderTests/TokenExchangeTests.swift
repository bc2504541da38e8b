import HTTPWire
import Testing
import Timekeeping

@testable import Forwarder

@Suite struct TokenExchangeTests {
  @Test func bodyIsThatOfTheReference() {
    // Captured from azure-identity 1.27.0; the end-to-end test `IdentityRequest` compares them afresh.
    let expected =
      "client_assertion=eyJh.eyJi.c-_~"
      + "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
      + "&client_id=11111111-2222-3333-4444-555555555555&grant_type=client_credentials"
      + "&scope=https%3A%2F%2Feventhubs.azure.net%2F.default"
    let body = TokenExchange.body(
      assertion: "eyJh.eyJi.c-_~", client: "11111111-2222-3333-4444-555555555555",
      scope: "https://eventhubs.azure.net/.default")
    #expect(String(decoding: body, as: UTF8.self) == expected)
    #expect(TokenExchange.path(tenant: "contoso.example") == "/contoso.example/oauth2/v2.0/token")
    #expect(TokenExchange.path(tenant: "a/../b?c") == "/a%2F..%2Fb%3Fc/oauth2/v2.0/token")
    #expect(TokenExchange.formEncode("a b+c/é~") == "a+b%2Bc%2F%C3%A9~")
  }

  @Test func assertionIsTrimmedAndMustBeAWholeToken() {
    let cases: [(String, String?)] = [
      ("a.b.c", "a.b.c"), ("a.b.c\n", "a.b.c"), (" \t\r\na.b.c\r\n\n", "a.b.c"), ("eyJ-_0.x.y", "eyJ-_0.x.y"),
      ("", nil), ("\n", nil), ("a.b", nil), ("a.b.c.d", nil), ("a b.c.d", nil), ("a.b\n.c", nil), ("a.b.c=", nil),
      ("a.b.\u{0}", nil), ("a.b.é", nil), ("{}", nil),
      (String(repeating: "a", count: TokenExchange.assertionOctetsMax) + ".b.c", nil),
    ]
    for (text, expected) in cases {
      #expect(TokenExchange.assertion(in: Array(text.utf8)) == expected, "\(text.prefix(20))")
    }
  }

  @Test func onlyAWholeBearerTokenIsOne() {
    func read(_ status: Int, _ body: String, _ headers: HeaderFields = [:]) -> TokenExchange.Answer {
      TokenExchange.read(
        HTTPResponse(status: status, headers: headers, body: Array(body.utf8)), at: WallTime(microseconds: 0))
    }
    func token(_ expires: String) -> String {
      #"{"token_type":"Bearer","expires_in":\#(expires),"access_token":"abc"}"#
    }
    #expect(read(200, token("3599")) == .token("abc", lifetime: .seconds(3_599)))
    #expect(read(200, token(#""3599""#)) == .token("abc", lifetime: .seconds(3_599)))
    #expect(read(200, token("999999999999999999")) == .token("abc", lifetime: .seconds(86_400)))
    #expect(
      read(200, #"{"token_type":"bearer","expires_in":60,"ext_expires_in":60,"access_token":"a.b","other":[1]}"#)
        == .token("a.b", lifetime: .seconds(60)))
    for (status, body) in [
      (201, token("3599")), (302, token("3599")), (200, ""), (200, "{}"), (200, "[]"), (200, "<html>"),
      (200, token("0")), (200, token("-1")), (200, token("null")), (200, token("1.5")), (200, token(#""soon""#)),
      (200, #"{"token_type":"Bearer","expires_in":60}"#), (200, #"{"expires_in":60,"access_token":"abc"}"#),
      (200, #"{"token_type":"pop","expires_in":60,"access_token":"abc"}"#),
      (200, #"{"token_type":"Bearer","expires_in":60,"access_token":""}"#),
      (200, #"{"token_type":"Bearer","expires_in":60,"access_token":"a\r\nX: y"}"#),
      (200, #"{"token_type":"Bearer","expires_in":60,"access_token":"a","access_token":"b"}"#),
    ] {
      guard case .refused(let reason, nil) = read(status, body) else {
        Issue.record("taken: \(status) \(body)")
        continue
      }
      #expect(!reason.contains("abc"), "a token in a reason")
    }
  }

  @Test func refusalTellsTheAuthoritysWordsAndHowLongToWait() {
    let body = Array(
      #"{"error":"invalid_client","error_description":"AADSTS700024: Client assertion is not within its valid time range.\r\nTrace","error_codes":[700024]}"#
        .utf8)
    let answer = TokenExchange.read(
      HTTPResponse(status: 401, headers: ["Retry-After": "17"], body: body), at: WallTime(microseconds: 0))
    #expect(
      answer
        == .refused(
          reason:
            "the authority answered 401, invalid_client: AADSTS700024: Client assertion is not within its valid time range.  Trace",
          retryAfter: .seconds(17)))
    let long = Array("{\"error\":\"\(String(repeating: "x", count: 5_000))\"}".utf8)
    guard
      case .refused(let reason, _) = TokenExchange.read(
        HTTPResponse(status: 500, body: long), at: WallTime(microseconds: 0))
    else { return }
    #expect(reason.utf8.count < 300)
  }
}
