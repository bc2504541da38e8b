import Foundation
import LinuxIO
import Testing
import Timekeeping
import Transport

/// Certificates that the `openssl` command made once for all tests, in a directory that goes with the process.
struct Certificates: Sendable {
  let directory: String

  /// Trusted by `ca.pem`: `good` (localhost, 127.0.0.1, ::1), `other` (other.test), `expired`, `wildcard`
  /// (*.example.test). `stranger` is signed by nobody we trust.
  static let made = Result { try Certificates() }

  /// `rsa.modulus` was printed in hexadecimal.
  func read(_ name: String) throws -> [UInt8] {
    guard name == "rsa.modulus" else { return Array(try Data(contentsOf: URL(fileURLWithPath: path(name)))) }
    let text = try String(contentsOfFile: path("rsa.hex"), encoding: .utf8).trimmingCharacters(
      in: .whitespacesAndNewlines)
    let digits = text.compactMap { UInt8(String($0), radix: 16) }
    return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }

  func path(_ name: String) -> String { "\(directory)/\(name)" }

  func server(_ name: String) throws -> TLSServerContext {
    try TLSServerContext(certificateFile: path("\(name).pem"), keyFile: path("\(name).key"))
  }

  var client: TLSClientContext { TLSClientContext(caFile: path("ca.pem")) }

  private init() throws {
    directory = FileManager.default.temporaryDirectory.appendingPathComponent("tls-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    try shell(
      """
      set -e
      printf 'basicConstraints=critical,CA:TRUE\\nkeyUsage=critical,keyCertSign\\n' > ca.ext
      for ca in ca stranger-ca; do
        openssl req \(key) -keyout $ca.key -subj "/CN=$ca" -out $ca.csr
        openssl x509 -req -in $ca.csr -signkey $ca.key -days 30 -extfile ca.ext -out $ca.pem
      done
      issue() { # NAME SAN CA DAYS
        openssl req \(key) -keyout $1.key -subj "/CN=$1" -out $1.csr
        printf "subjectAltName=$2\\n" > $1.ext
        openssl x509 -req -in $1.csr -CA $3.pem -CAkey $3.key -set_serial $RANDOM$RANDOM -days $4 -extfile $1.ext -out $1.pem
      }
      issue good DNS:localhost,IP:127.0.0.1,IP:::1 ca 30
      issue other DNS:other.test ca 30
      issue wildcard 'DNS:*.example.test' ca 30
      issue stranger DNS:localhost stranger-ca 30
      openssl req \(key) -keyout expired.key -subj /CN=expired -out expired.csr
      printf 'subjectAltName=DNS:localhost\\n' > expired.ext
      touch index.txt; echo 01 > serial
      printf '[ca]\\ndefault_ca=d\\n[d]\\ndir=.\\ndatabase=index.txt\\nserial=serial\\nnew_certs_dir=.\\npolicy=p\\n' > ca.cnf
      printf 'default_md=sha256\\ncertificate=ca.pem\\nprivate_key=ca.key\\n[p]\\ncommonName=supplied\\n' >> ca.cnf
      openssl ca -batch -config ca.cnf -in expired.csr -extfile expired.ext \\
        -startdate 20200101000000Z -enddate 20200102000000Z -out expired.pem -notext
      openssl genrsa -out rsa.key 2048
      openssl rsa -in rsa.key -noout -modulus | cut -d= -f2 > rsa.hex
      printf 'header.payload' > rsa.message
      openssl dgst -sha256 -sign rsa.key -out rsa.rs256 rsa.message
      openssl dgst -sha256 -sign rsa.key -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 -out rsa.ps256 rsa.message
      """, in: directory)
  }
}

private func shell(_ script: String, in directory: String) throws {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: "/bin/bash")
  process.arguments = ["-c", script]
  process.currentDirectoryURL = URL(fileURLWithPath: directory)
  let errors = Pipe()
  process.standardError = errors
  process.standardOutput = FileHandle.nullDevice
  try process.run()
  let text = errors.fileHandleForReading.readDataToEndOfFile()
  process.waitUntilExit()
  guard process.terminationStatus == 0 else {
    throw CryptographyFault("openssl: \(String(decoding: text, as: UTF8.self))")
  }
}

/// For what should be long done: no test waits for it to pass.
func patience() -> Instant { SystemTime.instant() + .seconds(30) }
