import Foundation
import Testing

/// Every file of `Scripts`, played.
@Suite struct ScriptTests {
  private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Scripts")
  private static let names =
    ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).filter { $0.hasSuffix(".script") }
    .sorted()

  @Test func thereAreScripts() { #expect(Self.names.count >= 10) }

  @Test(arguments: names) func everythingHappensAsItIsWritten(_ name: String) throws {
    try Script.play(try String(contentsOf: Self.folder.appending(path: name), encoding: .utf8))
  }

  @Test func aScriptThatExpectsSomethingElseFails() {
    #expect(throws: Script.Fault.self) {
      try Script.play("policy allow a.test\nask b.test A\n> upstream b.test A @10.53.0.53")
    }
    #expect(throws: Script.Fault.self) { try Script.play("policy allow a.test\nask a.test A") }
    #expect(throws: Script.Fault.self) { try Script.play("dance") }
  }
}
