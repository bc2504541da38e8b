import Addressing
import Configuration
import Daemon
import HTTPWire
import JSONText
import LinuxIO
import PodInjection
import Transport

/// The mutating admission webhook: reviews in, verdicts out, one log line each.
struct InjectionWebhook {
  private let injector: PodInjector
  private let certificateFile: String
  private let keyFile: String
  private let log = Log(.info)

  init(_ injector: PodInjector, certificateFile: String, keyFile: String) {
    self.injector = injector
    self.certificateFile = certificateFile
    self.keyFile = keyFile
  }

  /// Until TERM or INT. A certificate that is replaced (cert-manager swaps a symbolic link beside it) is taken; one that is not usable is said and the old one stays.
  func serve(_ endpoint: Endpoint) -> ExitCode {
    let injector = self.injector
    let log = self.log
    do {
      // Before any thread: they inherit what is blocked.
      let signals = try SignalDescriptor()
      let server = HTTPSServer(
        try TCPListener(endpoint), try context(), limits: HTTPLimits(bodyBytesMax: AdmissionReview.sizeMax),
        log: { log.warning("a connection failed", [("reason", $0)]) },
        reply: { .answer(Self.answer($0, injector, log)) })
      let watch = try FileWatch()
      for folder in Set([certificateFile, keyFile].map(Self.folder)) { try watch.watch(directory: folder) }
      log.info("the injector listens", [("address", "\(endpoint)")])
      try server.run(signals, watch: watch) { _ in
        do {
          server.replaceContext(try context())
          log.info("the certificate was read again")
        } catch {
          log.error("the certificate cannot be used; the old one stays", [("reason", "\(error)")])
        }
      }
      return .success
    } catch {
      complain("inject: \(error)")
      return .misuse
    }
  }

  private func context() throws(CryptographyFault) -> TLSServerContext {
    try TLSServerContext(certificateFile: certificateFile, keyFile: keyFile)
  }

  private static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  private static func answer(_ request: HTTPRequest, _ injector: PodInjector, _ log: Log) -> HTTPResponse {
    switch (request.method, request.path) {
    case ("GET", "/healthz"): return .text(200, "ok\n")
    case ("POST", "/inject"):
      guard let review = AdmissionReview(request.body) else {
        return .text(400, "the body is no AdmissionReview of admission.k8s.io/v1\n")
      }
      let verdict = review.decide(injector)
      log.info(verdict.isAllowed ? "admitted" : "refused", [("pod", verdict.summary)])
      return HTTPResponse(
        status: 200, headers: ["Content-Type": "application/json"],
        body: review.answer(verdict, base64: Base64.encode).json())
    case (_, "/healthz"), (_, "/inject"): return .text(405, "the method is GET for /healthz and POST for /inject\n")
    default: return .text(404, "there are /inject and /healthz\n")
    }
  }
}
