import DNSWire

/// SplitMix64: the same numbers from the same seed.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    return mixed ^ mixed >> 31
  }
}

/// Octets of a message, made by hand and not by the composer under test.
func wire(_ name: String) -> [UInt8] {
  name == "." ? [0] : name.split(separator: ".").reduce(into: []) { $0 += [UInt8($1.utf8.count)] + $1.utf8 } + [0]
}

func word(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 255), UInt8(value & 255)] }

func header(id: Int = 0x1234, flags: Int = 0x8180, _ counts: Int...) -> [UInt8] {
  ([id, flags] + counts).flatMap(word)
}

func question(_ name: String, _ type: Int = 1, _ recordClass: Int = 1) -> [UInt8] {
  wire(name) + word(type) + word(recordClass)
}

func record(_ owner: [UInt8], _ type: Int, ttl: Int = 300, recordClass: Int = 1, _ data: [UInt8]) -> [UInt8] {
  owner + word(type) + word(recordClass) + word(ttl >> 16) + word(ttl) + word(data.count) + data
}

/// The owner is the question's name.
let toQuestion: [UInt8] = [0xc0, 12]

let opt: [UInt8] = [0] + word(41) + word(1232) + [0, 0, 0x80, 0] + word(0)

/// A label before a pointer to `offset`.
func below(_ label: String, _ offset: UInt8) -> [UInt8] { [UInt8(label.utf8.count)] + label.utf8 + [0xc0, offset] }

/// An answer of every shape that is composed in one way or another: aliases, compressed names, opaque data, SOA, OPT.
/// `example.com` stands at 16, `edge` at 45.
let richAnswer: [UInt8] = [
  header(1, 5, 1, 2), question("www.example.com"),
  record(toQuestion, 5, below("edge", 16)),
  record([0xc0, 45], 1, [198, 51, 100, 7]),
  record(toQuestion, 15, word(10) + below("mail", 16)),
  record(toQuestion, 65, [0, 1, 0, 0, 1, 0, 3, 2, 0x68, 0x33, 0, 4, 0, 4, 9, 9, 9, 9]),
  record(toQuestion, 35, [0, 1, 0, 2, 1, 0x73, 0, 1, 0x21, 0xc0, 16]),
  record([0xc0, 16], 6, below("ns", 16) + [0xc0, 12] + [UInt8](repeating: 1, count: 20)),
  record(wire("ns.example.com"), 28, [UInt8](repeating: 0x20, count: 16)),
  opt,
].flatMap { $0 }
