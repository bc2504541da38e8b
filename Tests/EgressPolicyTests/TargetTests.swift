import EgressPolicy
import Testing

private let label63 = String(repeating: "a", count: 63)
/// 253 octets: four labels of 63, 63, 63 and 61.
private let name253 = [label63, label63, label63, String(repeating: "b", count: 61)].joined(separator: ".")

let acceptedTargets: [(text: String, canonical: String)] = [
  ("example.com", "example.com"), ("Example.COM.", "example.com"), ("*.Example.com", "*.example.com"),
  ("*.example.com.", "*.example.com"), ("a.b.c.d.example.com", "a.b.c.d.example.com"), ("localhost", "localhost"),
  ("xn--bcher-kva.example", "xn--bcher-kva.example"), ("_dmarc.example.com", "_dmarc.example.com"), ("com", "com"),
  ("co.uk", "co.uk"), ("*.example.co.uk", "*.example.co.uk"), ("*.city.kawasaki.jp", "*.city.kawasaki.jp"),
  ("*.www.ck", "*.www.ck"), ("*.github.io", "*.github.io"), ("*.svc.cluster.local", "*.svc.cluster.local"),
  (name253, name253), (name253 + ".", name253), ("\(label63).test", "\(label63).test"), ("1.2.3.4a", "1.2.3.4a"),
  ("4.example", "4.example"), ("a--b.test", "a--b.test"), ("0xg.test", "0xg.test"), ("10.0.0.1", "10.0.0.1"),
  ("10.0.0.1/32", "10.0.0.1"), ("10.0.0.0/8", "10.0.0.0/8"), ("0.0.0.0/0", "0.0.0.0/0"), ("::/0", "::/0"),
  ("2001:DB8::/32", "2001:db8::/32"), ("2001:db8:0:0::1", "2001:db8::1"), ("::ffff:10.0.0.1", "::ffff:10.0.0.1"),
  ("*", "*"),
]

@Test(arguments: acceptedTargets)
func supportedTargetsHaveOneCanonicalForm(text: String, canonical: String) throws {
  #expect(PolicyTarget.fault(in: Array(text.utf8)) == nil)
  #expect(try #require(PolicyTarget(text)).description == canonical)
}

let refusedTargets: [(text: String, reason: String)] = [
  ("", "egress target cannot be empty"), ("  ", "egress target cannot be empty"), (" a.test", "white space"),
  ("a.test ", "white space"),
  ("a.test\r\n", "white space"), ("a\n.test", "control character"), ("a\u{0}.test", "control character"),
  ("a b.test", "a space"),
  ("bücher.example", "xn--"), ("a。test", "xn--"), ("*.com", "public suffix \"com\""),
  ("*.test", "public suffix \"test\""),
  ("*.CO.uk", "public suffix \"co.uk\""), ("*.co.uk.", "public suffix"), ("*.kawasaki.jp", "public suffix"),
  ("*.x.kawasaki.jp", "public suffix"), ("*.foo.ck", "public suffix"), ("*.k12.ma.us", "public suffix"),
  ("*.xn--55qx5d.cn", "public suffix"),
  ("*.nom.br", "public suffix"), ("*.gov.zw", "public suffix"), ("*.gs.aa.no", "public suffix"),
  ("a*b.com", "\"*\" stands only"), ("a*b.x", "\"*\" stands only"),
  ("*-aiplatform.googleapis.com", "\"*\" stands only"), ("foo.*", "\"*\" stands only"),
  ("*.*.example.com", "\"*\" stands only"), ("**.example.com", "\"*\" stands only"),
  ("*example.com", "\"*\" stands only"), ("*.", "empty label"),
  ("a.*.example.com", "\"*\" stands only"), (".", "empty label"), (".a.test", "empty label"),
  ("a..test", "empty label"), ("a.test..", "empty label"),
  ("a\(name253)", "more than"), ("a.\(name253)", "more than"), ("*.\(name253)", "no name fits"),
  ("a\(label63).test", "more than 63"),
  ("-a.test", "hyphen"), ("a-.test", "hyphen"), ("a.-", "hyphen"), ("a!.test", "\"!\" in a name"),
  ("a.test\\", "in a name"), ("[::1]", "not an IPv6"),
  ("https://a.test/", "URL"), ("a.test/path", "CIDR"), ("a.test:443", "ports"), ("10.0.0.1:443", "ports"),
  ("a@b.test", "in a name"),
  ("0x7f.1", "four decimal parts"), ("127.1", "four decimal parts"), ("2130706433", "four decimal parts"),
  ("0x7f000001", "four decimal parts"),
  ("0x", "four decimal parts"), ("0177.0.0.1", "four decimal parts"), ("1.2.3.4.5", "four decimal parts"),
  ("1.2.3.4.", "four decimal parts"),
  ("256.1.1.1", "four decimal parts"), ("a.1", "four decimal parts"), ("a.0XfF", "four decimal parts"),
  ("*.1", "not before an address"),
  ("*.10.0.0.1", "not before an address"),
  ("10.0.0.1/8", "10.0.0.0/8 is the block"), ("2001:db8::1/32", "2001:db8::/32 is the block"),
  ("10.0.0.0/33", "not a CIDR"), ("10.0.0.0/", "not a CIDR"),
  ("10.0.0.0/08", "not a CIDR"), ("10.0.0/8", "not a CIDR"), ("10.0.0.0/-1", "not a CIDR"), ("::/129", "not a CIDR"),
  ("fe80::1%eth0", "not an IPv6"), (":", "not an IPv6"),
  ("10.0.0.0/8/8", "not a CIDR"), ("10.0.0.0/255.0.0.0", "not a CIDR"),
]

@Test(arguments: refusedTargets)
func whatIsNotSupportedIsRefusedWithItsReason(text: String, reason: String) throws {
  let fault = try #require(PolicyTarget.fault(in: Array(text.utf8)))
  #expect(fault.contains(reason), "\(fault)")
  #expect(PolicyTarget(text) == nil)
}

@Test func everythingIsOnlyForDeny() throws {
  let error = #expect(throws: PolicyProblems.self) {
    try PolicyDocument.parse(
      Array(#"{"egress":[{"action":"allow","target":"*"},{"action":"deny","target":"*"}]}"#.utf8))
  }
  #expect(error?.problems.map(\.path) == ["$.egress[0].target"])
}
