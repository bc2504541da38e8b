import LinuxIO
import Transport

/// The exit status: 0 after TERM or INT, 2 for a wrong command line, 1 for what the machine refuses.
func runEventHub() -> Int32 {
  do {
    let options = try Options(ProcessEnvironment.arguments())
    if options.wantsHelp {
      try StandardStreams.output.write(Options.help)
      return 0
    }
    // Before any thread: they inherit what is blocked.
    let signals = try SignalDescriptor()
    let hub = Hub(
      authorization: options.authorization ?? .none,
      faults: try FaultScript(options.faults, controlFile: options.controlFile),
      ledger: try Ledger(options.ledger), name: options.hub, sizeLimit: options.sizeLimit)
    let context = try TLSServerContext(certificateFile: options.certificateFile, keyFile: options.keyFile)
    let listener = try TCPListener(options.listen)
    let server = Server(listener, context, hub, sizeLimit: options.sizeLimit)
    try StandardStreams.output.write("listening on \(try listener.localEndpoint())\n")
    try server.run(signals)
    return 0
  } catch let error as UsageError {
    log("\(error); --help tells more")
    return 2
  } catch {
    log("\(error)")
    return 1
  }
}

ProcessIdentity.exit(runEventHub())
