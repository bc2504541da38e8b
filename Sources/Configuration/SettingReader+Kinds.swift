import Addressing
import Timekeeping

/// Readers for the kinds of value that several settings share.
extension SettingReader {
  mutating func readPath(_ name: String, default fallback: String, detail: String = "") -> String {
    read(name, default: fallback, show: \.self, detail: detail) { given throws(Refusal) in
      try SettingParsing.text(given.value)
    }
  }

  mutating func readOptionalText(_ name: String) -> String? {
    read(name, default: nil, show: { $0 ?? "" }) { given throws(Refusal) in try SettingParsing.text(given.value) }
  }

  mutating func readFlag(_ name: String, default fallback: Bool, words: (yes: String, no: String)) -> Bool {
    read(name, default: fallback, show: { $0 ? words.yes : words.no }) { given throws(Refusal) in
      try SettingParsing.flag(given.value)
    }
  }

  mutating func readChoice<Choice: RawRepresentable & CaseIterable>(_ name: String, default fallback: Choice) -> Choice
  where Choice.RawValue == String {
    read(name, default: fallback, show: \.rawValue) { given throws(Refusal) in
      try SettingParsing.choice(given.value)
    }
  }

  mutating func readDuration(
    _ name: String, default fallback: TimeSpan, in range: ClosedRange<TimeSpan>
  ) -> TimeSpan {
    read(name, default: fallback, show: \.description) { given throws(Refusal) in
      try SettingParsing.duration(given.value, in: range)
    }
  }

  mutating func readCount(_ name: String, default fallback: Int, in range: ClosedRange<Int>) -> Int {
    read(name, default: fallback, show: { String($0) }) { given throws(Refusal) in
      try SettingParsing.count(given.value, in: range)
    }
  }

  mutating func readSize(
    _ name: String, default fallback: ByteCount, in range: ClosedRange<ByteCount>
  ) -> ByteCount {
    read(name, default: fallback, show: \.description) { given throws(Refusal) in
      try SettingParsing.size(given.value, in: range)
    }
  }

  mutating func readEndpoints(
    _ name: String, default fallback: [Endpoint], defaultPort: UInt16? = nil, detail: String = ""
  ) -> [Endpoint] {
    read(name, default: fallback, show: list, detail: detail) { given throws(Refusal) in
      try SettingParsing.endpoints(given.value, defaultPort: defaultPort)
    }
  }
}
