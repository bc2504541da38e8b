import Addressing

/// A wrong option or argument; exit status 2.
struct UsageError: Error, CustomStringConvertible {
  var description: String

  init(_ description: String) { self.description = description }
}

/// What the command line asks for.
struct Options {
  var listen = Endpoint(.v4(IPv4Address(127, 0, 0, 1)), 8_443)
  var certificateFile = ""
  var keyFile = ""
  var ledger = ""
  var hub: String?
  var authorization: Authorization?
  var faults = ""
  var controlFile: String?
  /// The service's limit for a publication, single or batch, in the standard tier.
  var sizeLimit = 1 << 20
  var poison: [UInt8]?
  /// Events a second; nil: no limit.
  var rateLimit: Int?
  var wantsHelp = false

  static let help = """
    eventhub-local: a strict local receiver of the Event Hubs REST send API, for trying and testing.

      --listen ADDRESS:PORT   where to listen (127.0.0.1:8443; port 0: any, told on standard output)
      --cert FILE --key FILE  its certificate chain and key, PEM
      --ledger FILE           accepted events, one a line as they came; FILE.index tells partition, sequence and time,
                              FILE.requests has a line for each request
      --hub NAME              accept this hub only
      --bearer TOKEN | --bearer-file FILE | --sas NAME:KEY | --no-auth
                              who may send; one of them must be given
      --max-body BYTES        largest batch (1048576)
      --max-rate EVENTS       events a second, and as many KB; beyond it 503 with error 50002
      --poison TEXT           refuse every batch in which a body holds this, with 400
      --fault LIST            what to do to the first requests, for instance 503:3,401:1,reset:1,reset-after-store:2,
                              503:after-store:1,truncate:1,garbage:1,extra:1,interim:1,chunked:1,drip:5ms:1,hang:1,
                              hang-after-store:1,slow:200ms:5,retry-after:2s:1
      --control FILE          such a list, read at every request; a new text replaces what is left

    """

  init(_ arguments: [String]) throws(UsageError) {
    var rest = arguments[...]
    while let option = rest.popFirst() {
      switch option {
      case "--help", "-h": wantsHelp = true
      case "--no-auth": try authorize(Authorization.none)
      case "--listen":
        let text = try value(option, &rest)
        guard let endpoint = Endpoint(text) else { throw UsageError("--listen \(text): not ADDRESS:PORT") }
        listen = endpoint
      case "--cert": certificateFile = try value(option, &rest)
      case "--key": keyFile = try value(option, &rest)
      case "--ledger": ledger = try value(option, &rest)
      case "--hub": hub = try value(option, &rest)
      case "--fault": faults = try value(option, &rest)
      case "--control": controlFile = try value(option, &rest)
      case "--poison": poison = Array(try value(option, &rest).utf8)
      case "--max-rate":
        let text = try value(option, &rest)
        guard let rate = Int(text), (1...1_000_000).contains(rate) else {
          throw UsageError("--max-rate \(text): 1 to 1000000")
        }
        rateLimit = rate
      case "--bearer-file": try authorize(.bearerFile(try value(option, &rest)))
      case "--bearer": try authorize(.bearer(Array(try value(option, &rest).utf8)))
      case "--sas":
        let text = try value(option, &rest)
        guard let colon = text.firstIndex(of: ":"), colon != text.startIndex else {
          throw UsageError("--sas: not NAME:KEY")
        }
        try authorize(
          .sharedAccess(name: String(text[..<colon]), key: Array(text[text.index(after: colon)...].utf8)))
      case "--max-body":
        let text = try value(option, &rest)
        guard let limit = Int(text), (1...(64 << 20)).contains(limit) else {
          throw UsageError("--max-body \(text): 1 to 67108864")
        }
        sizeLimit = limit
      default: throw UsageError("unknown option \(option)")
      }
    }
    if !wantsHelp { try checkComplete() }
  }

  private mutating func authorize(_ authorization: Authorization) throws(UsageError) {
    guard self.authorization == nil else {
      throw UsageError("--bearer, --bearer-file, --sas and --no-auth exclude each other")
    }
    self.authorization = authorization
  }

  private func value(_ option: String, _ rest: inout ArraySlice<String>) throws(UsageError) -> String {
    guard let value = rest.popFirst() else { throw UsageError("\(option) needs a value") }
    return value
  }

  private func checkComplete() throws(UsageError) {
    for (name, given) in [("--cert", certificateFile), ("--key", keyFile), ("--ledger", ledger)] where given.isEmpty {
      throw UsageError("\(name) is missing")
    }
    guard authorization != nil else {
      throw UsageError("one of --bearer, --bearer-file, --sas and --no-auth is missing")
    }
  }
}
