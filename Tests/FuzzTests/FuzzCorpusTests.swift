import Foundation
import FuzzTargets
import Testing

/// Replays the corpora, and every input that once failed. A target traps where a property does not hold.
@Suite struct FuzzCorpusTests {
  private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Fuzz")

  private static func inputs(_ kind: String, _ target: FuzzTarget) -> [URL] {
    let folder = folder.appending(path: "\(kind)/\(target.name)")
    let found = try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
    return (found ?? []).sorted { $0.path < $1.path }
  }

  @Test(arguments: FuzzTarget.all.map(\.name)) func everyInputOfTheCorpusIsTaken(_ name: String) throws {
    let target = try #require(FuzzTarget.all.first { $0.name == name })
    let inputs = Self.inputs("Corpus", target) + Self.inputs("Regressions", target)
    #expect(!inputs.isEmpty, "no corpus for \(name)")
    for input in inputs { target.run(Array(try Data(contentsOf: input))) }
    target.run([])
  }

  /// Each file of the corpus with one octet changed or missing, some hundreds of inputs a target: what a fuzzer does first, in every run of the tests.
  @Test(arguments: FuzzTarget.all.map(\.name)) func everyInputWithOneOctetChangedIsTaken(_ name: String) throws {
    let target = try #require(FuzzTarget.all.first { $0.name == name })
    for (number, input) in Self.inputs("Corpus", target).enumerated() {
      let octets = Array(try Data(contentsOf: input))
      for round in 0..<min(octets.count, 24) {
        let at = (round &* 7_919 &+ number &* 31) % octets.count
        var changed = octets
        changed[at] ^= UInt8(1 << (round & 7))
        target.run(changed)
        changed.remove(at: at)
        target.run(changed)
      }
    }
  }

  @Test func everyFolderOfTheCorpusHasItsTarget() throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder.appending(path: "Corpus").path)
    #expect(Set(names) == Set(FuzzTarget.all.map(\.name)))
  }

  @Test func aPropertyThatDoesNotHoldEndsTheProcess() async {
    await #expect(processExitsWith: .failure) { FuzzTarget.falsehood.run([]) }
    await #expect(processExitsWith: .success) { FuzzTarget.falsehood.run([1]) }
  }
}
