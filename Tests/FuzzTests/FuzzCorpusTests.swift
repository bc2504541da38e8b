import Foundation
import FuzzTargets
import Testing

/// Replays what the fuzzer found: the corpora, and every input that once failed. A target traps where a property does not hold.
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
}
