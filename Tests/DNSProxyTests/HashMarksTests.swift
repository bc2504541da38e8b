import Testing

@testable import DNSProxy

/// Which names were asked before, in little room.
@Suite struct HashMarksTests {
  @Test func whatWasInsertedIsThereAndNothingElseButWhatSharesItsHash() {
    var marks = HashMarks()
    #expect(!marks.contains(0) && marks.count == 0)
    var generator = SeededGenerator(state: 1)
    var known: Set<UInt32> = []
    for _ in 0..<20_000 {
      let hash = Int(bitPattern: UInt(generator.next()))
      marks.insert(hash)
      marks.insert(hash)
      known.insert(UInt32(truncatingIfNeeded: hash))
      #expect(marks.contains(hash))
    }
    #expect(marks.count == known.count)
    var strangers = 0
    for _ in 0..<20_000 {
      let hash = Int(bitPattern: UInt(generator.next()))
      if marks.contains(hash), !known.contains(UInt32(truncatingIfNeeded: hash)) { strangers += 1 }
    }
    #expect(strangers == 0)
    // 0 stands for an empty place and is kept as 1.
    marks.insert(0)
    #expect(marks.contains(0))
  }
}
