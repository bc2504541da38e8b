import Foundation

/// Two network namespaces with a cable between them, made for one test and deleted after it: the pod, and the world outside.
final class NetworkNamespace {
  struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  /// Root, and the tools there.
  static let isPossible =
    geteuid() == 0
    && ["/usr/sbin/nft", "/usr/sbin/ip", "/usr/bin/python3"].allSatisfy {
      FileManager.default.isExecutableFile(atPath: $0)
    }

  let pod: String
  let world: String

  init() throws {
    let suffix = String(UInt32.random(in: 0 ... .max), radix: 36)
    pod = "sally-pod-" + suffix
    world = "sally-world-" + suffix
    let commands = """
      ip netns add \(pod) && ip netns add \(world)
      ip link add eth0 netns \(pod) type veth peer name eth0 netns \(world)
      for ns in \(pod) \(world); do
        ip netns exec $ns sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.eth0.accept_dad=0
        ip -n $ns link set lo up; ip -n $ns link set eth0 up
      done
      ip -n \(pod) addr add 10.9.0.1/24 dev eth0; ip -n \(world) addr add 10.9.0.2/24 dev eth0
      ip -n \(pod) addr add fd09::1/64 dev eth0 nodad; ip -n \(world) addr add fd09::2/64 dev eth0 nodad
      for host in 1 2 3 4; do
        ip -n \(world) addr add 198.51.100.$host/32 dev eth0
        ip -n \(world) addr add 2001:db8::$host/128 dev eth0 nodad
      done
      ip -n \(pod) route add default via 10.9.0.2; ip -n \(pod) -6 route add default via fd09::2
      """
    try Self.run(["sh", "-ec", commands])
  }

  deinit {
    _ = try? Self.run(["ip", "netns", "del", pod])
    _ = try? Self.run(["ip", "netns", "del", world])
  }

  /// Standard output of a command in the pod.
  @discardableResult
  func inPod(_ command: String..., input: String = "") throws -> String {
    try Self.run(["ip", "netns", "exec", pod] + command, input: input)
  }

  @discardableResult
  static func run(_ command: [String], input: String = "") throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = command
    let output = Pipe()
    let errors = Pipe()
    let source = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try Data(input.utf8).write(to: source)
    defer { try? FileManager.default.removeItem(at: source) }
    process.standardInput = try FileHandle(forReadingFrom: source)
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    let problem = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw Failure(description: "\(command.joined(separator: " ")): \(problem)\n\(input)")
    }
    return text
  }
}

/// A process that is spoken to by lines, ended with its owner.
final class LineProcess {
  private let process = Process()
  private let input = Pipe()
  private let output = Pipe()

  init(_ command: [String]) throws {
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = command
    process.standardInput = input
    process.standardOutput = output
    try process.run()
  }

  func ask(_ line: String) -> String {
    input.fileHandleForWriting.write(Data((line + "\n").utf8))
    return nextLine()
  }

  /// The next line it prints, or what there is when it ends.
  func nextLine() -> String {
    var answer: [UInt8] = []
    while let octet = output.fileHandleForReading.readData(ofLength: 1).first, octet != 0x0a { answer.append(octet) }
    return String(decoding: answer, as: UTF8.self)
  }

  deinit {
    // Children inherit the test runner's mask, in which SIGTERM is blocked.
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }
}
