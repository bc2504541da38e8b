// The daemon.
import Configuration
import Daemon
import Sidecar
import LinuxIO

let outcome = Configuration.parse(
  environment: ProcessEnvironment.all(), hostName: ProcessIdentity.hostName(),
  readFile: { path in
    do throws(Errno) { return .success(try File.readWhole(path, limit: 16 << 20)) } catch {
      return .failure(FileProblem(error.description))
    }
  })
switch outcome {
case .failure(let problems):
  for p in problems.problems { try? StandardStreams.error.write("\(p)\n") }
  ProcessIdentity.exit(2)
case .success(let configuration):
  switch InitialPolicy.load(configuration) {
  case .failure(let problems):
    for p in problems.problems { try? StandardStreams.error.write("\(p)\n") }
    ProcessIdentity.exit(2)
  case .success(let policy):
    ProcessIdentity.exit(Daemon.run(configuration, policy, log: Log(least: .info)))
  }
}
