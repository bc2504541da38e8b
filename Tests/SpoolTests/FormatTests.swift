import Foundation
import Testing
import Timekeeping

@testable import Spool

@Suite struct FormatTests {
  @Test func checksumIsCastagnolis() {
    // RFC 3720 appendix B.4, and the check value of the catalogue of parametrised CRC algorithms.
    let cases: [([UInt8], UInt32)] = [
      (Array("123456789".utf8), 0xe306_9283), ([UInt8](repeating: 0, count: 32), 0x8a91_36aa),
      ([UInt8](repeating: 0xff, count: 32), 0x62a8_ab43), (Array(0..<32), 0x46dd_794e),
      (Array((0..<32).reversed()), 0x113f_db5c), ([], 0),
    ]
    for (bytes, expected) in cases { #expect(CRC32C.checksum(bytes, 0..<bytes.count) == expected) }
  }

  @Test func checksumContinues() {
    let bytes = (0..<100).map { UInt8($0) }
    for middle in 0...100 {
      let first = CRC32C.checksum(bytes, 0..<middle)
      #expect(CRC32C.checksum(bytes, middle..<100, after: first) == CRC32C.checksum(bytes, 0..<100))
    }
  }

  @Test func segmentBytesArePinned() throws {
    let (_, name, bytes) = threeRecords()
    #expect(name == "segment-0000000000000001")
    #expect(bytes == (try golden("segment.bin")))
  }

  @Test func cursorBytesArePinned() throws {
    var rig = Rig()
    rig.append(1...3)
    let records = rig.readAll()
    rig.run(rig.spool.acknowledge(through: records[0].end))
    rig.run(rig.spool.acknowledge(through: records[1].end))
    #expect(rig.disk.files["cursor"]?.bytes == (try golden("cursor.bin")))
  }

  @Test func namesSortAsNumbers() {
    for number: UInt64 in [0, 1, 15, 16, 255, 1 << 40, SegmentName.numbersEnd - 1] {
      #expect(SegmentName.parse(SegmentName.compose(number)) == number)
    }
    #expect(SegmentName.compose(9) < SegmentName.compose(10))
    for name in [
      "segment-", "segment-000000000000000G", "segment-000000000000000A", "segment-00000000000000001",
      "segment-ffffffffffffffff", "cursor", "",
    ] { #expect(SegmentName.parse(name) == nil, "\(name)") }
  }

  private func golden(_ name: String) throws -> [UInt8] {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Golden")
    return Array(try Data(contentsOf: folder.appendingPathComponent(name)))
  }
}
