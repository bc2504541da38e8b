import HTTPWire
import PolicyAPI
import Testing

@Suite struct AdmissionTests {
  @Test(arguments: ["", "s3cre", "s3crett", "S3cret", "s3cret ", " s3cret", "s3cres", "s3crets3cret"])
  func wrongTokenIsRefusedWhateverTheMethod(presented: String) {
    var world = World()
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "BREW"] {
      for headers: HeaderFields in [
        ["OPENSANDBOX-EGRESS-AUTH": presented], ["Authorization": "Bearer \(presented)x"],
        ["Authorization": "Basic \(token)"], ["Authorization": token], [:],
        ["OPENSANDBOX-EGRESS-AUTH": presented, "opensandbox-egress-auth": token],
      ] {
        let response = world.answer(request(method, "/policy", "[]", headers: headers))
        #expect(response.status == 401)
        #expect(response.bodyText == "unauthorized\n")
        #expect(response.headers["Content-Type"] == "text/plain; charset=utf-8")
        #expect(response.headers["X-Content-Type-Options"] == "nosniff")
      }
    }
  }

  @Test(
    arguments: [
      ["opensandbox-egress-auth": token], ["Authorization": "Bearer \(token)"], ["authorization": "bEARER  \(token)"],
      ["Authorization": "Basic x", "OPENSANDBOX-EGRESS-AUTH": token],
      ["Authorization": "Bearer \(token)", "OPENSANDBOX-EGRESS-AUTH": "x"],
    ] as [HeaderFields]) func rightTokenInEitherHeaderIsEnough(headers: HeaderFields)
  {
    var world = World()
    #expect(world.answer(request("GET", "/policy", headers: headers)).status == 200)
  }

  @Test(arguments: ["/", "", "/policy/", "/policy/x", "/Policy", "/policies", "*", "/policy/suggest"])
  func unknownPathIs404WithoutCredential(path: String) {
    var world = World()
    #expect(world.text(request("GET", path, headers: [:])) == "404 404 page not found\n")
    #expect(world.text(request("BREW", path, headers: [:])) == "404 404 page not found\n")
  }

  @Test(arguments: ["HEAD", "OPTIONS", "TRACE", "BREW", "get"]) func otherMethodsAre405WithAllow(method: String) {
    var world = World()
    let response = world.answer(request(method, "/policy"))
    #expect(response.status == 405)
    #expect(response.bodyText == "method not allowed\n")
    #expect(response.headers["Allow"] == "GET, POST, PUT, PATCH, DELETE")
  }

  @Test(arguments: [
    ("/readyz", "GET, HEAD"), ("/metrics", "GET, HEAD"), ("/flows", "GET, HEAD"), ("/audit", "GET, HEAD"),
    ("/policy/explain", "GET, HEAD"), ("/owner", "GET, HEAD, PUT"),
  ]) func everyPathNamesItsMethods(path: String, allow: String) {
    var world = World()
    let response = world.answer(request("DELETE", path))
    #expect(response.status == 405)
    #expect(response.headers["Allow"] == allow)
  }

  @Test(arguments: ["/healthz", "/readyz", "/metrics"]) func probesNeedNoCredential(path: String) {
    #expect(World().api.refusalBeforeBody(request("GET", path, headers: [:])) == nil)
  }

  @Test(arguments: ["GET", "HEAD", "POST", "BREW"]) func healthAnswersEveryMethod(method: String) {
    var world = World()
    #expect(world.text(request(method, "/healthz", headers: [:])) == "200 ok")
  }

  @Test(arguments: ["/policy", "/policy/explain", "/owner", "/flows", "/audit"])
  func readsNeedTheCredentialWhenThereIsOne(path: String) {
    let head = request("GET", path, headers: [:])
    #expect(World().api.refusalBeforeBody(head)?.status == 401)
    #expect(World(token: nil).api.refusalBeforeBody(head) == nil)
    #expect(World().api.refusalBeforeBody(request("GET", path)) == nil)
  }

  @Test(arguments: [nil, ""], ["POST", "PUT", "PATCH", "DELETE"])
  func withoutTokenEveryChangeIsRefusedWithTheReason(configured: String?, method: String) {
    var world = World(token: configured)
    for headers: HeaderFields in [[:], ["OPENSANDBOX-EGRESS-AUTH": ""], ["Authorization": "Bearer "]] {
      #expect(
        world.text(request(method, "/policy", "[]", headers: headers))
          == "403 changes need SALLYPORT_API_TOKEN to be set\n")
    }
    #expect(world.answer(request("PUT", "/owner", headers: [:])).status == 403)
    #expect(world.answer(request("BREW", "/policy", headers: [:])).status == 405)
  }

  @Test func sandboxCredentialsAreNeverKept() {
    var world = World()
    #expect(world.text(request("GET", "/credential-vault")) == "404 credential vault not found\n")
    #expect(world.text(request("GET", "/credential-vault/_active")) == "403 forbidden\n")
    #expect(world.answer(request("GET", "/credential-vault", headers: [:])).status == 401)
    var open = World(token: nil)
    #expect(
      open.text(request("POST", "/credential-vault")) == "412 credential vault requires egress API auth token\n")
  }

  @Test func refusalComesBeforeTheBodyIsLookedAt() {
    let api = World().api
    for head in [
      request("POST", "/policy", headers: [:]), request("BREW", "/policy"), request("POST", "/nothing"),
    ] {
      let refusal = api.refusalBeforeBody(head)
      #expect(refusal != nil)
      #expect(api.route(head) == refusal.map { .respond($0) })
    }
    #expect(api.refusalBeforeBody(request("POST", "/policy", "{nope")) == nil)
  }

  @Test(arguments: [
    ("application/problem+json", true), ("text/html, application/problem+json;q=0.9", true),
    ("Application/Problem+JSON", true), ("*/*", false), ("application/json", false), ("", false),
    ("application/problem+json;q=0", false), ("application/problem+json; q=0.0", false),
    ("text/plain;x=application/problem+json", false),
  ]) func problemDetailsAreForWhoNamesThem(accept: String, isProblem: Bool) {
    var world = World()
    let response = world.answer(request("GET", "/policy", headers: ["Accept": accept]))
    #expect(response.status == 401)
    let problem = "{\"title\":\"Unauthorized\",\"status\":401,\"detail\":\"unauthorized\"}\n"
    #expect(response.bodyText == (isProblem ? problem : "unauthorized\n"))
    #expect(
      response.headers["Content-Type"] == (isProblem ? "application/problem+json" : "text/plain; charset=utf-8"))
  }
}
