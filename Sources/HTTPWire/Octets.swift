// The character classes of RFC 9110 §5.6 and RFC 3986, as ranges: no table and no locale.

/// ASCII case folding.
func lowercase(_ octet: UInt8) -> UInt8 { octet &- 0x41 < 26 ? octet | 0x20 : octet }

func equalIgnoringCase(_ left: String, _ right: String) -> Bool {
  let left = left.utf8
  let right = right.utf8
  return left.count == right.count && zip(left, right).allSatisfy { lowercase($0) == lowercase($1) }
}

func isDigit(_ octet: UInt8) -> Bool { octet &- 0x30 < 10 }

/// RFC 9110 §5.6.2: `!#$%&'*+-.^_`|~`, digits and letters.
func isTokenOctet(_ octet: UInt8) -> Bool {
  switch octet {
  case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
  case 0x21, 0x23...0x27, 0x2a, 0x2b, 0x2d, 0x2e, 0x5e, 0x5f, 0x60, 0x7c, 0x7e: true
  default: false
  }
}

func isToken(_ octets: some Collection<UInt8>) -> Bool { !octets.isEmpty && octets.allSatisfy(isTokenOctet) }

/// RFC 9110 §5.5: tab, space, visible ASCII and octets from 0x80 on.
func isFieldValueOctet(_ octet: UInt8) -> Bool { octet == 0x09 || (octet >= 0x20 && octet != 0x7f) }

/// Without spaces and tabs at either end (OWS, RFC 9110 §5.6.3).
func trimmed(_ octets: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
  var octets = octets
  while let first = octets.first, first == 0x20 || first == 0x09 { octets.removeFirst() }
  while let last = octets.last, last == 0x20 || last == 0x09 { octets.removeLast() }
  return octets
}

/// The value of a hexadecimal digit.
func hexValue(_ octet: UInt8) -> UInt8? {
  switch octet {
  case 0x30...0x39: octet - 0x30
  case 0x41...0x46: octet - 0x41 + 10
  case 0x61...0x66: octet - 0x61 + 10
  default: nil
  }
}

/// `uri-host [ ":" port ]` by its characters alone (RFC 3986 §3.2.2): enough to refuse lists, paths and credentials.
func isAuthority(_ octets: ArraySlice<UInt8>) -> Bool {
  octets.allSatisfy { octet in
    switch octet {
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
    case 0x21, 0x24...0x2b, 0x2d, 0x2e, 0x3a, 0x3b, 0x3d, 0x5b, 0x5d, 0x5f, 0x7e: true
    default: false
    }
  }
}

/// Whole octets as UTF-8 text; nil when they are not UTF-8.
func strictText(_ octets: some Collection<UInt8>) -> String? { String(validating: octets, as: UTF8.self) }
