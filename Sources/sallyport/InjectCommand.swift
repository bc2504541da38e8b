import Addressing
import Daemon
import JSONText
import LinuxIO
import PodInjection
import YAMLText

/// `sallyport inject`.
enum InjectCommand {
  static let help = """
    sallyport inject --settings FILE --file FILE [--output yaml|json]
    sallyport inject --settings FILE --listen ADDRESS:PORT --cert FILE --key FILE

    Puts the sidecar into pods and hardens everything else in them. With --file the manifests of that file (- is standard
    input), YAML or JSON, are written to standard output with the sidecar in every pod and pod template; other objects
    stay as they are. With --listen it is a mutating admission webhook (POST /inject, AdmissionReview v1; GET /healthz);
    a certificate that is replaced is used for the next connection.

      --settings FILE   what every pod gets, YAML or JSON: image, users, SALLYPORT_… settings, secrets, configuration maps
      --output FORMAT   yaml or json; as the input by default

    A pod that cannot be made safe is refused, with every reason: FILE: JSON path: reason.

    Exit code: 0 injected, or a clean stop; 1 refused; 2 wrong usage, or settings that have problems.

    """

  /// Octets of a manifest file: as YAML's own limit.
  private static let fileOctetsMax = YAMLError.sizeMax

  static func run(_ words: ArraySlice<String>) throws(UsageError) -> ExitCode {
    let arguments = try Arguments(words, values: ["--settings", "--file", "--output", "--listen", "--cert", "--key"])
    try arguments.refuseOperands()
    guard let settingsFile = arguments.values["--settings"] else { throw UsageError("--settings FILE is missing") }
    let settings: InjectionSettings
    switch load(settingsFile) {
    case .failure(let found):
      for problem in found.problems { complain("\(settingsFile): \(problem)") }
      return .misuse
    case .success(let loaded): settings = loaded
    }
    let injector = PodInjector(settings, version: Daemon.version)
    switch (arguments.values["--file"], arguments.values["--listen"]) {
    case (let file?, nil):
      guard arguments.values["--cert"] == nil, arguments.values["--key"] == nil else {
        throw UsageError("--cert and --key go with --listen")
      }
      return inject(file, injector, output: try format(arguments.values["--output"]))
    case (nil, let listen?):
      guard arguments.values["--output"] == nil else { throw UsageError("--output goes with --file") }
      guard let endpoint = Endpoint(listen) else { throw UsageError("--listen \(listen): not ADDRESS:PORT") }
      guard let certificate = arguments.values["--cert"], let key = arguments.values["--key"] else {
        throw UsageError("--listen needs --cert FILE and --key FILE")
      }
      return InjectionWebhook(injector, certificateFile: certificate, keyFile: key).serve(endpoint)
    default: throw UsageError("one of --file and --listen is needed")
    }
  }

  private enum Format { case yaml, json }

  private static func format(_ text: String?) throws(UsageError) -> Format? {
    switch text {
    case nil: nil
    case "yaml": .yaml
    case "json": .json
    default: throw UsageError("--output is yaml or json")
    }
  }

  /// Something wrong with a file as such.
  private struct FileProblems: Error {
    var problems: [String]
  }

  private static func load(_ file: String) -> Result<InjectionSettings, FileProblems> {
    switch documents(of: file) {
    case .failure(let problems): return .failure(problems)
    case .success(let found):
      guard found.documents.count == 1 else {
        return .failure(FileProblems(problems: ["$: one document is expected, and there are \(found.documents.count)"]))
      }
      do throws(InjectionRefusal) {
        return .success(try InjectionSettings.read(found.documents[0]))
      } catch {
        return .failure(FileProblems(problems: error.problems.map(\.description)))
      }
    }
  }

  private static func inject(_ file: String, _ injector: PodInjector, output: Format?) -> ExitCode {
    switch documents(of: file) {
    case .failure(let found):
      for problem in found.problems { complain("\(file): \(problem)") }
      return .misuse
    case .success(let found):
      var injected: [JSONValue] = []
      var pods = 0
      var isGood = true
      for (place, document) in found.documents.enumerated() {
        var manifest = Manifest(document)
        do throws(InjectionRefusal) {
          try manifest.inject(injector)
          pods += manifest.injected
          injected.append(manifest.value)
        } catch {
          isGood = false
          let which = found.documents.count == 1 ? "" : "document \(place + 1): "
          for problem in error.problems { complain("\(file): \(which)\(problem)") }
        }
      }
      // All or nothing: a half of the manifests applied would be a pod without its sidecar.
      guard isGood else { return .negative }
      guard pods > 0 else {
        complain("\(file): there is no pod in it")
        return .negative
      }
      show(compose(injected, output ?? found.format))
      return .success
    }
  }

  private static func compose(_ values: [JSONValue], _ format: Format) -> String {
    switch format {
    case .json: return values.map { String(decoding: $0.json(), as: UTF8.self) + "\n" }.joined()
    case .yaml:
      var writer = YAMLWriter()
      for value in values { writer.document(value) }
      return writer.text
    }
  }

  private static func documents(of file: String) -> Result<(documents: [JSONValue], format: Format), FileProblems> {
    let bytes: [UInt8]
    do throws(Errno) {
      bytes = try File.readWhole(file == "-" ? "/dev/stdin" : file, limit: fileOctetsMax)
    } catch {
      return .failure(FileProblems(problems: [error.description]))
    }
    // JSON is YAML too, as far as our reader goes; by its name it gets the errors of a JSON reader.
    if file.hasSuffix(".json") {
      do throws(JSONError) {
        let limits = JSONLimits(depthMax: YAMLError.depthMax, sizeMax: fileOctetsMax)
        return .success(([try JSONValue.parse(bytes, limits: limits)], .json))
      } catch {
        return .failure(FileProblems(problems: ["\(error)"]))
      }
    }
    let first = bytes.first { ![0x20, 0x09, 0x0a, 0x0d].contains($0) }
    do throws(YAMLError) {
      return .success((try YAMLDocument.parse(bytes).map(\.value), first == 0x7b ? .json : .yaml))
    } catch {
      return .failure(FileProblems(problems: ["\(error)"]))
    }
  }
}
