import Foundation
import LinuxIO
import Testing

@Suite struct DirectoryTests {
  @Test func aDirectoryIsClaimedOnce() throws {
    let path = NSTemporaryDirectory() + "claim-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    let first = try Directory(path, create: true)
    #expect(first.claim())
    #expect(!(try Directory(path).claim()))
  }

  @Test func madeWithModeForTheOwnerAlone() throws {
    let temporary = try TemporaryDirectory()
    let directory = try Directory("\(temporary.path)/state", create: true)
    _ = try Directory("\(temporary.path)/state", create: true)
    try directory.replace("a", with: [1])
    let modes = try ["state", "state/a"].map {
      try FileManager.default.attributesOfItem(atPath: "\(temporary.path)/\($0)")[.posixPermissions] as? Int
    }
    #expect(modes == [0o700, 0o600])
  }

  @Test func replaceLeavesNothingBeside() throws {
    let temporary = try TemporaryDirectory()
    let directory = try Directory(temporary.path)
    // What a crash in the middle left behind.
    try Data([9]).write(to: URL(fileURLWithPath: "\(temporary.path)/.name.new"))
    try directory.replace("name", with: Array("old".utf8))
    try directory.replace("name", with: Array("new".utf8))
    #expect(try directory.list() == ["name"])
    #expect(try directory.readWhole("name", limit: 3) == Array("new".utf8))
  }

  @Test func namesAreSortedByOctets() throws {
    let temporary = try TemporaryDirectory()
    let directory = try Directory(temporary.path)
    for name in ["b", "a", "B", "10", "é"] { _ = try directory.open(name, .create) }
    #expect(try directory.list() == ["10", "B", "a", "b", "é"])
    #expect(try directory.list().count == 5)
  }

  @Test func missingFileIsNilAndLongOneAnError() throws {
    let temporary = try TemporaryDirectory()
    let directory = try Directory(temporary.path)
    #expect(try directory.readWhole("none", limit: 10) == nil)
    try directory.replace("long", with: [UInt8](repeating: 1, count: 11))
    #expect(throws: Errno.fileTooLarge) { try directory.readWhole("long", limit: 10) }
    #expect(throws: Errno.noEntry) { try Directory("\(temporary.path)/none") }
    #expect(throws: Errno.exists) { try directory.open("long", .create) }
  }

  @Test func symbolicLinkIsNotFollowed() throws {
    let temporary = try TemporaryDirectory()
    let directory = try Directory(temporary.path)
    try FileManager.default.createSymbolicLink(
      atPath: "\(temporary.path)/link", withDestinationPath: "/etc/passwd")
    #expect(throws: Errno(ELOOP)) { try directory.open("link", .append) }
  }

  @Test func fileIsWrittenReadCutAndRenamed() throws {
    let temporary = try TemporaryDirectory()
    let directory = try Directory(temporary.path)
    let file = try directory.open("a", .append)
    try file.write([1, 2, 3])
    try file.write([4, 5])
    try file.syncData()
    #expect(try file.size() == 5)
    try file.truncate(to: 4)
    let update = try directory.open("a", .update)
    try update.write([8], at: 1)
    #expect(try update.read(at: 1, count: 10) == [8, 3, 4])
    #expect(try update.read(at: 4, count: 10) == [])
    try directory.rename("a", to: "b")
    try directory.sync()
    #expect(try directory.list() == ["b"])
    try directory.remove("b")
    #expect(try directory.list() == [])
    #expect(try directory.freeOctets() > 0)
  }

  @Test func filesOfProcHaveNoSizeAndAreReadAllTheSame() throws {
    #expect(try !File.readWhole("/proc/self/status", limit: 1 << 16).isEmpty)
  }
}
