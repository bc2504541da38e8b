import LinuxIO
import RecordProof
import Transport

/// Lines on their way from files to the proof, and once more where it asks for them.
struct Verification {
  /// Broken lines that are shown; all of them are counted.
  static let brokenMax = 100

  private(set) var broken: [(file: String, line: Int, reason: String)] = []
  private(set) var brokenLines = 0
  private var proof = Proof(hash: SHA256.kept())
  private var again: [(what: Proof.Revisit, file: File, offset: Int64, count: Int)] = []
  private let showsBroken: Bool

  init(showsBroken: Bool) { self.showsBroken = showsBroken }

  mutating func read(_ path: String) {
    let name = path == "-" ? "standard input" : path
    var number = 0
    do throws(Errno) {
      var lines = try LineSource(path)
      while let line = try lines.next() {
        number += 1
        guard let bytes = line.bytes else {
          refuse(name, number, "longer than \(LineSource.lineOctetsMax) octets")
          continue
        }
        guard bytes.contains(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0d }) else { continue }
        let revisit: Proof.Revisit?
        do throws(LineFault) {
          revisit = try proof.add(bytes)
        } catch {
          refuse(name, number, error.description)
          continue
        }
        guard let revisit else { continue }
        let place = try lines.keep(line, bytes)
        again.append((revisit, place.file, place.offset, bytes.count))
      }
    } catch {
      refuse(name, nil, error.description)
    }
  }

  mutating func close() -> ProofReport {
    proof.close()
    for line in again {
      // What cannot be read again is not proved: it counts as altered.
      let bytes = (try? line.file.read(at: line.offset, count: line.count)) ?? []
      proof.revisit(bytes, line.what)
    }
    return proof.report()
  }

  private mutating func refuse(_ file: String, _ line: Int?, _ reason: String) {
    brokenLines += 1
    guard broken.count < Self.brokenMax else { return }
    broken.append((file, line ?? 0, reason))
    if showsBroken { show("\(file):\(line.map { "\($0):" } ?? "") \(reason)\n") }
  }
}
