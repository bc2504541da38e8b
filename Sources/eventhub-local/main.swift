// eventhub-local: the send half of Event Hubs' REST API over HTTPS, on one machine, for trying and testing. It never ships.
//
//   Options        the command line
//   Hub            judges a request: credentials, path, version, content type, size, shape
//   EventBatch     the batch's bodies, read more strictly than the service reads them
//   Authorization  bearer token or shared access signature
//   ThroughputUnits what is throttled
//   FaultScript    what goes wrong, in order, before or after the store
//   Ledger         what was accepted: the judge of every delivery test
//
// Where the service's behaviour is not documented, this one is strict: a sender that passes here relies on nothing. An event is in the ledger
// before its 201 leaves, and what is in the ledger was whole. A refused request takes no fault from the script.

import HTTPWire
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
      ledger: try Ledger(options.ledger), name: options.hub, sizeLimit: options.sizeLimit,
      poison: options.poison, throughput: options.rateLimit.map { ThroughputUnits(eventsPerSecond: $0) })
    let context = try TLSServerContext(certificateFile: options.certificateFile, keyFile: options.keyFile)
    let listener = try TCPListener(options.listen)
    // A batch over the limit must be read to be refused with its own status.
    let server = HTTPSServer(
      listener, context, limits: HTTPLimits(bodyBytesMax: 2 * options.sizeLimit), log: log, reply: hub.reply)
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
