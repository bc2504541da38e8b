import CLinux

/// The kernel's random numbers (getrandom(2)), fetched 512 octets at a time: a system call for every 64 draws.
package struct SystemRandom: RandomNumberGenerator, Sendable {
  // 64 numbers are 512 octets; a call that large can return short after a signal, which is why it is checked.
  private static let numbersAtOnce = 64
  private var pool = [UInt64](repeating: 0, count: SystemRandom.numbersAtOnce)
  private var used = SystemRandom.numbersAtOnce

  package init() {}

  package mutating func next() -> UInt64 {
    if used == pool.count { refill() }
    let number = pool[used]
    // A number handed out stays nowhere: it may be a secret.
    pool[used] = 0
    used += 1
    return number
  }

  private mutating func refill() {
    unsafe pool.withUnsafeMutableBytes { bytes in unsafe fillRandom(bytes) }
    used = 0
  }

  /// Secret-grade octets. The corresponding C function is `getrandom`.
  package static func bytes(_ count: Int) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: count)
    unsafe result.withUnsafeMutableBytes { bytes in unsafe fillRandom(bytes) }
    return result
  }
}

/// Without randomness nothing here is safe: a kernel that has none ends the process.
private func fillRandom(_ bytes: UnsafeMutableRawBufferPointer) {
  var filled = 0
  while filled < bytes.count {
    let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[filled...])
    guard let got = try? retrying("getrandom", { unsafe clinux_random(rest.baseAddress, rest.count) }) else {
      preconditionFailure("the kernel has no random numbers")
    }
    filled += Int(got)
  }
}
