import Addressing
import Configuration
import LinuxIO
import Netfilter
import Sidecar
import Timekeeping

/// The daemon: `sallyport run`.
package enum Daemon {
  /// The version of the product, as records and `sallyport version` show it.
  package static let version = "0.1.0"

  /// What of the kernel enforcement needs, by name.
  package static var wantedKernelFeatures: [String] { KernelFeature.required.map(\.rawValue) }

  /// Runs until it is told to stop.
  ///
  /// - Returns: the exit code of contract §1: 0 after a clean stop, 3 when enforcement cannot be had.
  package static func run(_ configuration: Configuration, _ policy: InitialPolicy, log: Log) -> Int32 {
    ProcessMemory.economize()
    do throws(StartupFailure) {
      var startup = try Startup(configuration, policy, log)
      startup.logNotices()
      return try startup.run()
    } catch {
      log.error("enforcement cannot be had", [("missing", error.description)])
      return 3
    }
  }
}

/// What is missing, by name and with what to do about it.
struct StartupFailure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// Runs a call of the edge; its error becomes what is missing.
func required<Value: ~Copyable, Failure: Error & CustomStringConvertible>(
  _ what: String, _ body: () throws(Failure) -> Value
) throws(StartupFailure) -> Value {
  do throws(Failure) {
    return try body()
  } catch {
    throw StartupFailure("\(what): \(error)")
  }
}
