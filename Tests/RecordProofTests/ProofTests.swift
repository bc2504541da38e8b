import FlowAudit
import JSONText
import Testing
import Transport

@testable import RecordProof

let digest: AuditLog.Hash = { SHA256.digest(of: $0) }

@Suite struct ProofTests {
  @Test func flowsThatAreCountedAsLostAreSummedAndNoFault() throws {
    var writer = Writer("boot-1")
    writer.add(.recordsDropped(RecordsDroppedDraft(count: 70, sequences: nil, reason: "EVENTS_LOST", flows: "denied")))
    writer.add(.recordsDropped(RecordsDroppedDraft(count: 5, sequences: nil, reason: "EVENTS_LOST", flows: "denied")))
    writer.add(.recordsDropped(RecordsDroppedDraft(count: 2, sequences: nil, reason: "EVENTS_LOST", flows: "allowed")))
    writer.add(.recordsDropped(RecordsDroppedDraft(count: 9, sequences: nil, reason: "EVENTS_LOST")))
    let report = try prove(writer.lines)
    #expect(report.isComplete)
    #expect(report.boots.map(\.sums.lostDenied) == [75] && report.boots.map(\.sums.lostAllowed) == [2])
    #expect(report.text(brokenLines: 0).contains("counted as lost: flows, 2 allowed and 75 denied"))
  }

  /// Two starts, the first with numbers 1 to 6, the second stopped.
  private func twoStarts() -> (lines: [[UInt8]], first: Writer, second: Writer) {
    var first = Writer("boot-1")
    first.heartbeats(5)
    var second = Writer("boot-2", after: ("boot-1", 6))
    second.heartbeats(3)
    second.stop()
    return (first.lines + second.lines, first, second)
  }

  @Test func recordsInOrderAreComplete() throws {
    let report = try prove(twoStarts().lines)
    #expect(report.isComplete && report.records == 11 && report.duplicates == 0 && report.outOfOrder == 0)
    #expect(report.boots.map(\.last) == [6, 5])
    #expect(report.boots.map(\.isStopped) == [false, true])
    #expect(report.text(brokenLines: 0).hasSuffix("complete: 11 records of 2 starts, none missing, none altered\n"))
  }

  @Test(arguments: 0..<40) func anyOrderWithDuplicatesIsComplete(_ seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let lines = twoStarts().lines
    var mixed = lines
    for line in lines where Bool.random(using: &generator) { mixed.append(line) }
    let report = try prove(mixed.shuffled(using: &generator))
    #expect(report.isComplete && report.records == lines.count)
    #expect(report.duplicates == UInt64(mixed.count - lines.count))
  }

  @Test func nothingIsNotComplete() throws {
    let report = try prove([])
    #expect(!report.isComplete)
    #expect(report.text(brokenLines: 0).hasSuffix("not complete: no record\n"))
  }

  @Test(arguments: 0..<11) func eachRecordThatIsTakenOutIsMissed(_ index: Int) throws {
    var lines = twoStarts().lines
    lines.remove(at: index)
    let report = try prove(lines)
    switch index {
    case 0..<6:
      #expect(!report.isComplete)
      #expect(
        report.boots.first { $0.boot == "boot-1" }?.missing == NumberRanges([UInt64(index + 1)...UInt64(index + 1)]))
    case 10:
      // The end of the newest start is known to nobody: the report says that it is open.
      #expect(report.isComplete && report.boots.last?.isStopped == false)
    default:
      #expect(!report.isComplete)
      let number = UInt64(index - 5)
      #expect(report.boots.first { $0.boot == "boot-2" }?.missing == NumberRanges([number...number]))
    }
  }

  @Test func aStartOfWhichNoRecordIsLeftIsMissedWhole() throws {
    let report = try prove(twoStarts().second.lines)
    let gone = try #require(report.boots.first { $0.boot == "boot-1" })
    #expect(!report.isComplete && gone.records == 0 && gone.missing == NumberRanges([1...6]))
    #expect(report.sandboxes.map(\.sandbox) == ["sb-1"])
  }

  @Test func theEndOfAStartIsToldByTheNext() throws {
    let (lines, _, _) = twoStarts()
    let report = try prove(Array(lines[..<4] + lines[6...]))
    #expect(report.boots.first?.missing == NumberRanges([5...6]))
  }

  @Test(arguments: [false, true]) func eachAlteredRecordIsNamed(_ isShuffled: Bool) throws {
    let lines = twoStarts().lines
    for index in lines.indices {
      var generator = SeededGenerator(seed: UInt64(index))
      var altered = lines
      altered[index] = try edited(
        lines[index], "\"EventProductVersion\":\"0.1.0\"", "\"EventProductVersion\":\"0.1.1\"")
      let report = try prove(isShuffled ? altered.shuffled(using: &generator) : altered)
      let boot = index < 6 ? "boot-1" : "boot-2"
      let number = UInt64(index < 6 ? index + 1 : index - 5)
      #expect(!report.isComplete)
      for found in report.boots {
        #expect(found.altered == (found.boot == boot ? NumberRanges([number...number]) : NumberRanges()))
      }
    }
  }

  @Test func aForgedLinkBreaksItselfAndTheNext() throws {
    var lines = twoStarts().lines
    let split = try #require(RecordChain.split(lines[2]))
    lines[2] = Array("{\"SbxChain\":\"AAAAAAAAAAAAAAAAAAAAAA\",".utf8) + split.rest.dropFirst()
    #expect(try prove(lines).boots.first?.altered == NumberRanges([3...4]))
  }

  @Test func twoRecordsThatChangedNumbersAreFound() throws {
    var lines = twoStarts().lines
    lines[2] = try edited(lines[2], "\"SbxSeq\":3,", "\"SbxSeq\":4,")
    lines[3] = try edited(lines[3], "\"SbxSeq\":4,", "\"SbxSeq\":3,")
    let report = try prove(lines)
    #expect(!report.isComplete && report.boots.first?.altered == NumberRanges([3...5]))
  }

  @Test func aDuplicateThatDiffersIsNoDuplicate() throws {
    var lines = twoStarts().lines
    lines.insert(try edited(lines[2], "\"SbxSpoolBytes\":0", "\"SbxSpoolBytes\":1"), at: 9)
    let report = try prove(lines)
    #expect(!report.isComplete && report.duplicates == 0)
    #expect(report.boots.first?.contradicted == NumberRanges([3...3]))
    // The true one after it is not blamed.
    #expect(report.boots.first?.altered == NumberRanges([3...3]))
  }

  @Test func anIDOnTwoRecordsIsFound() throws {
    var (lines, first, _) = twoStarts()
    func id(_ line: [UInt8]) throws -> String {
      try #require(try JSONValue.parse(line)["EventOriginalUid"]?.string)
    }
    lines[7] = try edited(lines[7], try id(lines[7]), try id(first.lines[3]))
    let report = try prove(lines)
    #expect(report.boots.map(\.reusedIDs) == [NumberRanges([4...4]), NumberRanges([2...2])])
  }

  @Test func numbersThatARecordAnswersForAreNoGap() throws {
    var writer = Writer("boot-1")
    #expect(writer.log.skip(4) == 2...5)
    writer.drop(2...5, count: 4)
    writer.stop()
    let report = try prove(writer.lines)
    #expect(report.isComplete && report.boots.first?.dropped == NumberRanges([2...5]))
    // What was never made left the chain whole.
    #expect(report.boots.first?.unproved.isEmpty == true)
  }

  @Test func aRecordWhosePredecessorWasDroppedIsNotProvable() throws {
    var writer = Writer("boot-1")
    writer.heartbeats(4)
    writer.drop(2...3, count: 2)
    var lines = writer.lines
    lines.removeSubrange(1...2)
    let report = try prove(lines)
    #expect(report.isComplete && report.boots.first?.unproved == NumberRanges([4...4]))
  }

  @Test func moreLostThanARecordCountsIsFound() throws {
    var writer = Writer("boot-1")
    writer.heartbeats(4)
    writer.drop(2...4, count: 2)
    var lines = writer.lines
    lines.removeSubrange(1...3)
    let report = try prove(lines)
    #expect(!report.isComplete && report.boots.first?.uncounted == 1)
  }

  @Test func aLaterStartAnswersForAnEarlierOne() throws {
    var (lines, _, second) = twoStarts()
    second.drop(3...4, count: 2, boot: "boot-1")
    lines.removeSubrange(2...3)
    lines.append(try #require(second.lines.last))
    let report = try prove(lines)
    #expect(report.isComplete && report.boots.first?.dropped == NumberRanges([3...4]))
    // Numbers 3 and 4 of the one that tells it are none of its business.
    #expect(report.boots.last?.dropped.isEmpty == true)
  }

  @Test func twoStartsAfterOneAreFound() throws {
    let first = Writer("boot-1")
    let report = try prove(
      first.lines + Writer("boot-2", after: ("boot-1", 1)).lines + Writer("boot-3", after: ("boot-1", 1)).lines)
    #expect(!report.isComplete && report.boots.first?.successors == ["boot-2", "boot-3"])
  }

  @Test func startsThatFollowEachOtherInACircleEnd() throws {
    let report = try prove(
      Writer("boot-1", after: ("boot-2", 1)).lines + Writer("boot-2", after: ("boot-1", 1)).lines)
    #expect(Set(report.boots.map(\.boot)) == ["boot-1", "boot-2"])
  }

  @Test func sandboxesAreToldApart() throws {
    let report = try prove(Writer("boot-1", sandbox: "b").lines + Writer("boot-2", sandbox: "a").lines)
    #expect(report.isComplete && report.sandboxes.map(\.sandbox) == ["a", "b"])
  }

  @Test func aStartInTwoSandboxesIsFound() throws {
    var writer = Writer("boot-1")
    writer.heartbeats(2)
    var lines = writer.lines
    lines[1] = try edited(lines[1], "\"SbxSandboxId\":\"sb-1\"", "\"SbxSandboxId\":\"sb-2\"")
    #expect(try prove(lines).boots.first?.otherSandboxes == ["sb-1", "sb-2"])
  }

  @Test func aRestoredHistoryThatReachesFurtherIsNoGap() throws {
    // Records that the hub had and the disk of the next start had not.
    var first = Writer("boot-1")
    first.heartbeats(5)
    #expect(try prove(first.lines + Writer("boot-2", after: ("boot-1", 4)).lines).isComplete)
  }

  @Test func hugeNumbersCostNothing() throws {
    var writer = Writer("boot-1")
    writer.heartbeats(1)
    var lines = writer.lines
    lines[1] = try edited(lines[1], "\"SbxSeq\":2,", "\"SbxSeq\":18446744073709551615,")
    let report = try prove(lines)
    #expect(report.boots.first?.missing == NumberRanges([2...(UInt64.max - 1)]))
  }
}

@Suite struct LineTests {
  private let good = Writer("boot-1").lines[0]

  private func fault(_ line: [UInt8]) -> String? {
    var proof = Proof(hash: digest)
    do throws(LineFault) {
      _ = try proof.add(line)
      return nil
    } catch {
      #expect(proof.entries.isEmpty && proof.boots.isEmpty, "a broken line changes nothing")
      return error.description
    }
  }

  @Test(arguments: [
    ("", "no JSON: the text is empty at column 1"),
    ("[]", "no JSON: a record is an object at column 2"),
    ("{}", "no record: it does not begin with SbxChain and its 22 letters"),
    ("{\"SbxChain\":\"short\",\"a\":1}", "no record: it does not begin with SbxChain and its 22 letters"),
    (
      "{\"SbxChain\":\"AAAAAAAAAAAAAAAAAAAAAB\",\"a\":1}",
      "no record: it does not begin with SbxChain and its 22 letters"
    ),
    ("{\"SbxChain\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"a\":1}", "no record: SbxBootId is missing"),
    ("{\"SbxChain\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"a\":1,\"a\":1}", "no JSON: the member is repeated at column 44"),
    ("{\"SbxChain\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"a\":1", "no JSON: the text ends too early at column 43"),
  ])
  func aBrokenLineSaysWhatIsWrong(_ line: String, _ expected: String) { #expect(fault(Array(line.utf8)) == expected) }

  @Test(arguments: [
    ("\"SbxSeq\":1,", "", "no record: SbxSeq is missing"),
    ("\"SbxSeq\":1,", "\"SbxSeq\":0,", "SbxSeq is 0; numbers begin with 1"),
    ("\"SbxSeq\":1,", "\"SbxSeq\":-1,", "SbxSeq is no whole number"),
    ("\"SbxSeq\":1,", "\"SbxSeq\":\"1\",", "SbxSeq is no whole number"),
    ("\"SbxBootId\":\"boot-1\"", "\"SbxBootId\":7", "SbxBootId is no text of 1 to 256 octets"),
    ("\"EventOriginalUid\":\"", "\"EventOriginalUid\":\"x", "EventOriginalUid is no UUID"),
    ("\"SbxRecordKind\":\"SidecarStart\"", "\"SbxRecordKind\":\"RecordsDropped\"", "SbxDroppedCount is missing"),
  ])
  func aRecordWithoutWhatIsNeededSaysWhatIsMissing(_ old: String, _ new: String, _ expected: String) throws {
    #expect(fault(try edited(good, old, new)) == expected)
  }

  @Test func noCutOfARecordIsTakenForOne() {
    for end in 0..<good.count { #expect(fault(Array(good[..<end])) != nil) }
    #expect(fault(good) == nil)
  }

  @Test(arguments: 0..<2_000) func noOctetsCrash(_ seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var line = good
    for _ in 0..<Int.random(in: 1...8, using: &generator) {
      line[Int.random(in: line.indices, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
    }
    var proof = Proof(hash: digest)
    if let revisit = try? proof.add(line) {
      proof.close()
      proof.revisit(line, revisit)
      #expect(!proof.report().isComplete || line == good)
    }
  }
}

@Suite struct NumberRangesTests {
  /// Against sets, which are slow and plain.
  @Test(arguments: 0..<200) func rangesAreSets(_ seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    func draw() -> (NumberRanges, Set<UInt64>) {
      let parts = (0..<Int.random(in: 0...6, using: &generator)).map { _ in
        let from = UInt64.random(in: 0...40, using: &generator)
        return from...(from + UInt64.random(in: 0...8, using: &generator))
      }
      return (NumberRanges(parts), Set(parts.joined()))
    }
    let (left, leftSet) = draw()
    let (right, rightSet) = draw()
    func same(_ ranges: NumberRanges, _ set: Set<UInt64>) -> Bool {
      let numbers = Array(ranges.ranges.joined())
      return numbers == set.sorted() && ranges.count == UInt64(set.count)
        && zip(ranges.ranges, ranges.ranges.dropFirst()).allSatisfy { $0.upperBound + 1 < $1.lowerBound }
    }
    #expect(same(left, leftSet))
    #expect(same(left.subtracting(right), leftSet.subtracting(rightSet)))
    #expect(same(left.intersecting(right), leftSet.intersection(rightSet)))
  }

  @Test func theLastNumberIsNoOverflow() {
    let all = NumberRanges([1...UInt64.max])
    #expect(all.count == UInt64.max)
    #expect(all.subtracting(NumberRanges([UInt64.max...UInt64.max])).ranges == [1...(UInt64.max - 1)])
    #expect(NumberRanges([3...3, 7...9]).description == "3, 7–9")
  }
}
