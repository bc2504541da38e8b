/// The ports the kernel gives to sockets that did not choose.
package enum EphemeralPorts {
  /// Linux's own default (net/ipv4/af_inet.c).
  package static let usual: ClosedRange<UInt16> = 32_768...60_999
  /// Below lie the ports of privileged services.
  private static let lowest: UInt16 = 1_024

  /// What this network namespace uses; `usual` where /proc does not say.
  package static func current() -> ClosedRange<UInt16> {
    guard let bytes = try? File.readWhole("/proc/sys/net/ipv4/ip_local_port_range", limit: 64) else { return usual }
    let numbers = bytes.split { $0 == 0x09 || $0 == 0x0a || $0 == 0x20 }.compactMap {
      UInt16(String(decoding: $0, as: UTF8.self))
    }
    guard numbers.count == 2, numbers[0] <= numbers[1] else { return usual }
    return numbers[0]...numbers[1]
  }

  /// A port in 1024…65535 outside `range`, each equally likely; when none is outside, any.
  package static func draw(
    outside range: ClosedRange<UInt16>, using generator: inout some RandomNumberGenerator
  ) -> UInt16 {
    let below = max(0, Int(range.lowerBound) - Int(lowest))
    let above = Int(UInt16.max) - max(Int(range.upperBound), Int(lowest) - 1)
    guard below + above > 0 else { return UInt16.random(in: lowest...UInt16.max, using: &generator) }
    let index = Int.random(in: 0..<below + above, using: &generator)
    let port = index < below ? Int(lowest) + index : max(Int(range.upperBound) + 1, Int(lowest)) + index - below
    return UInt16(truncatingIfNeeded: port)
  }
}
