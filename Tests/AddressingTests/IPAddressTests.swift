import Testing

@testable import Addressing

@Suite struct IPAddressTests {
  @Test(arguments: [
    ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"), ("10.0.0.1", "10.0.0.1"),
    ("::", "::"), ("::1", "::1"), ("2001:DB8::1", "2001:db8::1"), ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
    ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"), ("::ffff:198.51.100.1", "::ffff:198.51.100.1"), ("1::", "1::"),
    ("1:0:0:2:0:0:0:3", "1:0:0:2::3"), ("64:ff9b::198.51.100.99", "64:ff9b::c633:6463"),
    ("0:0:0:0:0:0:0:1", "::1"), ("1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"),
    ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"), ("1::8", "1::8"),
    ("aBcD:eF01::", "abcd:ef01::"), ("::1.2.3.4", "::102:304"), ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"),
  ])
  func textReadsAndWritesInCanonicalForm(text: String, canonical: String) {
    #expect(IPAddress(text)?.description == canonical)
    #expect(IPAddress(canonical) == IPAddress(text))
  }

  @Test(arguments: [
    "", "127.1", "2130706433", "0x7f.0.0.1", "010.0.0.1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.-1", " 1.2.3.4",
    "1.2.3.4 ", "1..2.3", ":", ":::", "1:::2", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "::1::", "12345::", "g::",
    "fe80::1%eth0",
    "1:2:3:4:5:6:7:8::", "::1.2.3", "1.2.3.4::", "1:", ":1", "+1::", "1:2:3:4:5:6:7:1.2.3.4",
    "1::2:3:4:5:6:7:8", "1::2::3", "::1.2.3.4:5", "::1.2.3.4.5", "1:2:3:4:5:6:7:8.", "1::.", "::\u{0}", "1234.1.1.1",
  ])
  func otherFormsAreRefused(text: String) {
    #expect(IPAddress(text) == nil)
  }

  @Test func bytesAreNetworkOrder() {
    #expect(IPAddress("198.51.100.7")?.bytes == [198, 51, 100, 7])
    #expect(IPAddress("2001:db8::1")?.bytes == [0x20, 1, 0x0d, 0xb8] + Array(repeating: 0, count: 11) + [1])
    #expect(IPAddress(bytes: [198, 51, 100, 7]) == IPAddress("198.51.100.7"))
    #expect(IPAddress(bytes: [1, 2, 3]) == nil)
  }
}

@Suite struct CIDRBlockTests {
  @Test(arguments: [
    ("10.20.30.40/16", "10.20.0.0/16", "10.20.255.255"), ("0.0.0.0/0", "0.0.0.0/0", "255.255.255.255"),
    ("198.51.100.7", "198.51.100.7", "198.51.100.7"), ("198.51.100.7/32", "198.51.100.7", "198.51.100.7"),
    ("2001:db8::/32", "2001:db8::/32", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001:db8::ff/127", "2001:db8::fe/127", "2001:db8::ff"),
    ("::/0", "::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
  ])
  func blocksClearHostBitsAndKnowTheirEnd(text: String, canonical: String, last: String) {
    #expect(CIDRBlock(text)?.description == canonical)
    #expect(CIDRBlock(text)?.last.description == last)
  }

  @Test(arguments: [
    "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "10.0.0.0/08", "::/129", "/8", "10.0.0/8", "10.0.0.0/8/8",
  ])
  func malformedBlocksAreRefused(text: String) {
    #expect(CIDRBlock(text) == nil)
  }

  @Test func containmentNeverCrossesFamilies() throws {
    let everything = try #require(CIDRBlock("0.0.0.0/0"))
    let mapped = try #require(IPAddress("::ffff:10.0.0.1"))
    #expect(!everything.contains(mapped))
    let wide = try #require(CIDRBlock("10.0.0.0/8"))
    let narrow = try #require(CIDRBlock("10.1.0.0/16"))
    #expect(wide.contains(narrow))
    #expect(!narrow.contains(wide))
  }
}

@Suite struct EndpointTests {
  @Test(arguments: [
    ("198.51.100.1:53", "198.51.100.1:53"), ("[::1]:15353", "[::1]:15353"), ("[::1]", "[::1]:53"),
    ("10.0.0.1", "10.0.0.1:53"),
  ])
  func endpointsReadWithDefaultPort(text: String, canonical: String) {
    #expect(Endpoint(text, defaultPort: 53)?.description == canonical)
  }

  @Test(arguments: [
    "10.0.0.1:", "10.0.0.1:65536", "10.0.0.1:+1", "10.0.0.1:053", "[::1]:", "[::1", "[10.0.0.1]:53", "host:53", "",
  ])
  func malformedEndpointsAreRefused(text: String) {
    #expect(Endpoint(text, defaultPort: 53) == nil)
  }
}

@Suite struct SpecialPurposeTests {
  @Test(arguments: [
    "127.0.0.1", "169.254.169.254", "168.63.129.16", "10.96.0.1", "100.64.0.1", "172.31.255.255", "192.168.0.1",
    "0.0.0.0",
    "224.0.0.1", "255.255.255.255", "fd00::1", "fe80::1", "::1", "::", "64:ff9b::a9fe:a9fe", "::ffff:198.51.100.99",
    "2002:a00:1::", "2001:0:1::", "ff02::1", "64:ff9b:1::1",
  ])
  func rangesThatLeadInsideAreSpecial(text: String) throws {
    #expect(SpecialPurpose.range(of: try #require(IPAddress(text))) != nil)
  }

  @Test(arguments: [
    "198.51.100.1", "192.0.2.1", "203.0.113.9", "198.18.0.1", "8.8.8.8", "2001:db8::1", "2606:4700::1", "172.32.0.1",
  ])
  func ordinaryAddressesAreNot(text: String) throws {
    #expect(SpecialPurpose.range(of: try #require(IPAddress(text))) == nil)
  }
}
