import Foundation
import LinuxIO
import Testing

@Suite struct FileWatchTests {
  @Test func configMapSwapIsSeen() throws {
    let temporary = try TemporaryDirectory()
    let files = FileManager.default
    for version in ["..1", "..2"] {
      try files.createDirectory(atPath: "\(temporary.path)/\(version)", withIntermediateDirectories: false)
    }
    try files.createSymbolicLink(atPath: "\(temporary.path)/..data", withDestinationPath: "..1")
    try files.createSymbolicLink(atPath: "\(temporary.path)/policy.json", withDestinationPath: "..data/policy.json")
    let watch = try FileWatch()
    try watch.watch(directory: temporary.path)
    #expect(try watch.changed() == [])
    // As the kubelet does it.
    try files.createSymbolicLink(atPath: "\(temporary.path)/..data_tmp", withDestinationPath: "..2")
    #expect(unsafe rename("\(temporary.path)/..data_tmp", "\(temporary.path)/..data") == 0)
    #expect(try watch.changed() == [temporary.path])
    #expect(try watch.changed() == [])
  }

  @Test func readinessAndNamesOfSeveralDirectories() throws {
    let first = try TemporaryDirectory()
    let second = try TemporaryDirectory()
    let watch = try FileWatch()
    let poll = try EventPoll()
    try poll.register(watch.number, token: 3, interest: .read)
    try watch.watch(directory: first.path)
    try watch.watch(directory: second.path)
    try Data([1]).write(to: URL(fileURLWithPath: "\(second.path)/x"))
    #expect(try waitFor(poll, 3)?.readable == true)
    #expect(try watch.changed() == [second.path])
    try Data([1]).write(to: URL(fileURLWithPath: "\(second.path)/x"))
    try Data([1]).write(to: URL(fileURLWithPath: "\(first.path)/x"))
    #expect(try watch.changed() == [first.path, second.path].sorted())
  }

  @Test func removedDirectoryIsToldAndForgotten() throws {
    let temporary = try TemporaryDirectory()
    let path = "\(temporary.path)/inner"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    let watch = try FileWatch()
    try watch.watch(directory: path)
    #expect(watch.isWatching(directory: path))
    try FileManager.default.removeItem(atPath: path)
    #expect(try watch.changed() == [path])
    #expect(!watch.isWatching(directory: path))
    #expect(throws: Errno.noEntry) { try watch.watch(directory: path) }
  }
}
