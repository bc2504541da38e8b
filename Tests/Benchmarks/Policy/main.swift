// policy-benchmark POLICY NAMES: reads a policy document, compiles it, and decides each name of a file, one a line, ten times over. Prints one JSON object:
// milliseconds to parse and to compile, and the median, over batches of a hundred, of the nanoseconds that one decision takes.
import DNSWire
import EgressPolicy
import LinuxIO
import Timekeeping

/// Decisions that are timed together: reading the clock costs as much as one.
let batch = 100

func milliseconds(from start: Instant) -> Int64 { (SystemTime.instant() - start).milliseconds }

let words = ProcessEnvironment.arguments()
guard words.count == 2 else {
  try? StandardStreams.error.write("policy-benchmark: POLICY NAMES are needed\n")
  ProcessIdentity.exit(2)
}
let bytes = try File.readWhole(words[0], limit: PolicyLimits.files.bodyMax)
let asked = try File.readWhole(words[1], limit: PolicyLimits.files.bodyMax)
let names = asked.split(separator: 0x0a).compactMap { DomainName(String(decoding: $0, as: UTF8.self)) }

let parsing = SystemTime.instant()
let document = try PolicyDocument.parse(bytes, limits: .files)
let parsed = milliseconds(from: parsing)
let compiling = SystemTime.instant()
let rules = RuleSet(document, revision: 1)
let compiled = milliseconds(from: compiling)

let now = SystemTime.wall()
var allowed = 0
var taken: [Int64] = []
for _ in 0..<10 {
  var first = 0
  while first + batch <= names.count {
    let start = SystemTime.instant()
    for index in first..<first + batch where rules.decide(names[index], at: now).isAllowed { allowed += 1 }
    taken.append((SystemTime.instant() - start).nanoseconds)
    first += batch
  }
}
let median = taken.sorted()[taken.count / 2] / Int64(batch)
try StandardStreams.output.write(
  "{\"parse\":\(parsed),\"compile\":\(compiled),\"decision\":\(median),\"allowed\":\(allowed),\"asked\":\(taken.count * batch)}\n"
)
