import Configuration
import EgressPolicy
import LinuxIO
import Sidecar
import Timekeeping

/// The policy file, the platform's lists and the control API's certificate: watched, and read again by a thread of their own, since a million names take a while. What did not change is not
/// told; a file that cannot be read is.
final class PolicyFiles {
  /// How long a directory must be quiet before it is read: 100 ms, so that a file written in pieces is read whole.
  static let settling = TimeSpan.milliseconds(100)

  enum Source: Hashable, Sendable {
    case document(file: String)
    case lists(directory: String)
    /// Of the control API.
    case certificate(file: String)

    var directory: String {
      switch self {
      case .document(let file), .certificate(let file): PolicyFiles.directory(of: file)
      case .lists(let directory): directory
      }
    }
  }

  struct Job: Sendable {
    var source: Source
    /// The digest of the document that is known: one that says the same is not read again.
    var digest: String?
  }

  let watch: FileWatch
  let worker: WorkerThread<Job, PolicyReading?>

  private let sources: [Source]
  private let log: Log
  /// When each is read again.
  private var due: [Source: Instant] = [:]
  private var lastDigest: String?
  private var lastLists: AlwaysRules
  /// The lists were refused when they were read last: then good ones are told even when they are the ones of before.
  private var listsWereBad = false

  /// `policy`: what was read at the start.
  init(_ configuration: Configuration, _ policy: InitialPolicy, _ log: Log) throws(Errno) {
    self.log = log
    lastDigest = policy.fileDigest
    lastLists = policy.always
    var sources: [Source] = [.lists(directory: configuration.alwaysDirectory)]
    if let file = configuration.policy?.path { sources.append(.document(file: file)) }
    if let identity = configuration.apiIdentity {
      sources += [identity.certificateFile, identity.keyFile, identity.clientCAFile].compactMap(\.self).map {
        .certificate(file: $0)
      }
    }
    self.sources = sources
    watch = try FileWatch()
    worker = try WorkerThread(name: "policy files", stackOctets: 1 << 20) { Self.read($0, configuration) }
    for source in sources { try? watch.watch(directory: source.directory) }
    // What changed between the reading at the start and the watch.
    for source in sources {
      if case .certificate = source { continue }
      submit(source)
    }
  }

  private func submit(_ source: Source) { worker.submit(Job(source: source, digest: lastDigest)) }

  var nextDeadline: Instant? { due.values.min() }

  /// Something changed in a watched directory.
  func changed(at now: Instant) {
    guard let directories = try? watch.changed() else { return }
    for source in sources where directories.contains(source.directory) { due[source] = now + Self.settling }
  }

  /// Reads what is due. True: so is the certificate, which is read elsewhere.
  func read(at now: Instant) -> Bool {
    var isCertificateDue = false
    for (source, instant) in due where instant <= now {
      due[source] = nil
      if case .certificate = source { isCertificateDue = true } else { submit(source) }
    }
    return isCertificateDue
  }

  /// Each second: a directory that was not there may have come.
  func watchMissing(at now: Instant) {
    for source in sources where !watch.isWatching(directory: source.directory) {
      guard (try? watch.watch(directory: source.directory)) != nil else { continue }
      due[source] = now + Self.settling
    }
  }

  /// What the files say now, where it differs from before.
  func takeReadings() -> [PolicyReading] { worker.takeOutputs().compactMap(\.self).filter { isNews($0) } }

  private func isNews(_ reading: PolicyReading) -> Bool {
    switch reading {
    case .document(_, _, let digest):
      let isNew = digest != lastDigest
      lastDigest = digest
      return isNew
    case .lists(let result, _):
      guard case .success(let lists) = result else {
        defer { listsWereBad = true }
        return !listsWereBad
      }
      let isNew = listsWereBad || lists != lastLists
      listsWereBad = false
      lastLists = lists
      return isNew
    }
  }

  private static func read(_ job: Job, _ configuration: Configuration) -> PolicyReading? {
    switch job.source {
    case .lists(let directory):
      .lists(
        InitialPolicy.lists(configuration).mapError { found in
          PolicyProblems(found.problems.map { PolicyProblem(path: $0.source, reason: $0.reason) })
        }, directory: directory)
    case .certificate: nil
    case .document(let file): document(file, unless: job.digest, configuration)
    }
  }

  private static func document(
    _ file: String, unless known: String?, _ configuration: Configuration
  ) -> PolicyReading? {
    let bytes: [UInt8]
    do throws(Errno) {
      // Most often nothing changed: a million names are not read into memory to learn that.
      if let known, try InitialPolicy.digest(ofFile: file) == known { return nil }
      bytes = try File.readWhole(file, limit: PolicyLimits.files.bodyMax)
    } catch {
      let problem = PolicyProblems(path: "$", reason: error.description)
      return .document(.failure(problem), file: file, digest: "unreadable")
    }
    let digest = InitialPolicy.digest(bytes)
    guard digest != known else { return nil }
    do throws(PolicyProblems) {
      return .document(.success(try InitialPolicy.document(bytes, configuration)), file: file, digest: digest)
    } catch {
      return .document(.failure(error), file: file, digest: digest)
    }
  }

  private static func directory(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}
