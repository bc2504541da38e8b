import DNSWire
import EgressPolicy
import Testing

@Suite struct RegistrableDomainTests {
  @Test(arguments: [
    ("a.b.evil.test", "evil.test"), ("evil.test", "evil.test"), ("test", "test"), (".", "."),
    ("x.Example.co.uk", "example.co.uk"), ("co.uk", "co.uk"), ("a.b.c.kawasaki.jp", "b.c.kawasaki.jp"),
    ("q.city.kawasaki.jp", "city.kawasaki.jp"), ("me.github.io", "github.io"),
  ])
  func domainIsOneLabelBelowThePublicSuffix(_ name: String, _ domain: String) throws {
    #expect(try #require(DomainName(name)).registrableDomain == DomainName(domain))
  }
}
