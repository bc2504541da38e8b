import Addressing
import Firewall
import Testing
import Timekeeping

@testable import Netfilter

extension KernelTests {
  @Suite(.serialized) struct ElementTests {
    static let leases = SetDefinition(
      SetName(rawValue: "lease4"), key: [.ipv4Address], mapsToMark: true, hasTimeouts: true)
    static let ports = SetDefinition(
      SetName(rawValue: "lease6_port"), key: [.ipv6Address, .protocolNumber, .port], mapsToMark: true, hasTimeouts: true
    )
    static let blocks = SetDefinition(
      SetName(rawValue: "allow4"), key: [.ipv4Address], mapsToMark: true, isInterval: true, hasTimeouts: true)
    static let portBlocks = SetDefinition(
      SetName(rawValue: "allow4_port"), key: [.ipv4Address, .protocolNumber, .port], mapsToMark: true,
      isInterval: true, hasTimeouts: true)

    static func lease(_ last: UInt8, mark: UInt32 = 7, seconds: Int64? = 60) -> SetElement {
      SetElement([[10, 0, 0, last]], mark: mark, timeout: seconds.map { .seconds($0) })
    }

    /// Left of a timeout: at most all of it, and not less than most.
    static func isFresh(_ element: SetElement, seconds: Int64) -> Bool {
      guard let timeout = element.timeout else { return false }
      return timeout <= .seconds(seconds) && timeout > .seconds(seconds - 10)
    }

    /// With the kernel's own way to remove what may be missing, and with the one for kernels before 6.3.
    static func sockets(_ sets: [SetDefinition]) throws -> [NftablesSocket] {
      try [false, true].map { old in
        let socket = try NftablesSocket(table: old ? "old" : "new", triesDestroy: !old)
        try #require(socket.commit(KernelTransaction([.addTable] + sets.map { .addSet($0) })) == .committed)
        return socket
      }
    }

    @Test func aCommentIsKeptAndReadBack() throws {
      try NetworkNamespace().run {
        for socket in try Self.sockets([Self.leases]) {
          let comment = Array("files.example.test allow files.example.test 443/tcp".utf8)
          let longest = [UInt8](repeating: 0x61, count: SetElement.commentMax)
          var first = Self.lease(1)
          first.comment = comment
          var second = Self.lease(2)
          second.comment = longest
          let elements = [first, second, Self.lease(3)]
          #expect(socket.commit(KernelTransaction([.addElements(Self.leases.name, elements)])) == .committed)
          #expect(socket.commit(KernelTransaction([.renewElements(Self.leases.name, [first])])) == .committed)
          let read = try socket.elements(of: Self.leases).sorted { $0.key[0][3] < $1.key[0][3] }
          #expect(read.map(\.comment) == [comment, longest, nil])
          let listed = shell("nft list table inet \(socket.table)")
          #expect(listed.contains("comment \"files.example.test allow files.example.test 443/tcp\""), "\(listed)")
        }
      }
    }

    @Test func leasesAreListedWithMarkAndTimeLeft() throws {
      try NetworkNamespace().run {
        for socket in try Self.sockets([Self.leases, Self.ports]) {
          let name = Self.ports.name
          let address: [UInt8] = [0x20, 1, 0xd, 0xb8] + [UInt8](repeating: 0, count: 11) + [9]
          let element = SetElement([address, [17], [1, 187]], mark: 0x8000_0003, timeout: .seconds(300))
          #expect(
            socket.commit(
              KernelTransaction([
                .addElements(Self.leases.name, [Self.lease(1), Self.lease(2, mark: 9, seconds: nil)]),
                .addElements(name, [element]),
              ])) == .committed)
          let read = try socket.elements(of: Self.leases).sorted { $0.key[0][3] < $1.key[0][3] }
          #expect(read.map(\.key) == [[[10, 0, 0, 1]], [[10, 0, 0, 2]]])
          #expect(read.map(\.mark) == [7, 9])
          #expect(Self.isFresh(read[0], seconds: 60) && read[1].timeout == nil)
          let concatenated = try socket.elements(of: Self.ports)
          #expect(concatenated.map(\.key) == [element.key])
          #expect(concatenated.map(\.mark) == [0x8000_0003])
          let listed = shell("nft list table inet \(socket.table)")
          #expect(listed.contains("10.0.0.1 timeout 1m expires "), "\(listed)")
          #expect(listed.contains("10.0.0.2 : 0x00000009"), "\(listed)")
          #expect(listed.contains("2001:db8::9 . udp . 443 timeout 5m expires"), "\(listed)")
          #expect(listed.contains(": 0x80000003"), "\(listed)")
        }
      }
    }

    @Test func renewalRestartsTheTimeoutOfWhatIsThereAndOfWhatIsNot() throws {
      try NetworkNamespace().run {
        for socket in try Self.sockets([Self.leases]) {
          let name = Self.leases.name
          #expect(socket.commit(KernelTransaction([.addElements(name, [Self.lease(1, seconds: 20)])])) == .committed)
          // Adding alone must not make it longer, which is why renewal exists; how far it does differs between kernels.
          #expect(
            socket.commit(KernelTransaction([.renewElements(name, [Self.lease(1), Self.lease(2)])])) == .committed)
          let read = try socket.elements(of: Self.leases)
          #expect(read.count == 2 && read.allSatisfy { Self.isFresh($0, seconds: 60) })
        }
      }
    }

    @Test func renewalReplacesTheMark() throws {
      try NetworkNamespace().run {
        for socket in try Self.sockets([Self.leases]) {
          let name = Self.leases.name
          #expect(socket.commit(KernelTransaction([.addElements(name, [Self.lease(1), Self.lease(2)])])) == .committed)
          let changes: [KernelChange] = [
            .deleteElements(name, [Self.lease(2)]),
            .renewElements(name, [Self.lease(1, mark: 8), Self.lease(2, mark: 9), Self.lease(3, mark: 10)]),
            .renewElements(name, [Self.lease(3, mark: 11)]),
          ]
          #expect(socket.commit(KernelTransaction(changes)) == .committed)
          let read = try socket.elements(of: Self.leases).sorted { $0.key[0][3] < $1.key[0][3] }
          #expect(read.map(\.mark) == [8, 9, 11])
        }
      }
    }

    @Test func addingWithAnotherMarkIsRefused() throws {
      try NetworkNamespace().run {
        for socket in try Self.sockets([Self.leases]) {
          let name = Self.leases.name
          #expect(socket.commit(KernelTransaction([.addElements(name, [Self.lease(1)])])) == .committed)
          guard
            case .refused(let refusal) = socket.commit(
              KernelTransaction([.addTable, .addElements(name, [Self.lease(1, mark: 8)])]))
          else {
            Issue.record("was committed")
            return
          }
          #expect(refusal.change == 1)
        }
      }
    }

    @Test func deletionOfWhatIsNotThereIsRefusedAndDestructionIsNot() throws {
      try NetworkNamespace().run {
        for socket in try Self.sockets([Self.leases]) {
          let name = Self.leases.name
          let two = [Self.lease(1), Self.lease(2)]
          #expect(socket.commit(KernelTransaction([.addElements(name, two)])) == .committed)
          guard
            case .refused(let refusal) = socket.commit(
              KernelTransaction([.deleteElements(name, [Self.lease(1)]), .deleteElements(name, [Self.lease(3)])]))
          else {
            Issue.record("was committed")
            return
          }
          #expect(refusal.change == 1 && refusal.code == 2)
          #expect(try socket.elements(of: Self.leases).count == 2)
          // Neither the mark nor the timeout matters.
          let bare = (1...4).map { SetElement([[10, 0, 0, $0]]) }
          #expect(socket.commit(KernelTransaction([.destroyElements(name, bare)])) == .committed)
          #expect(try socket.elements(of: Self.leases).isEmpty)
          #expect(socket.commit(KernelTransaction([.addElements(name, two), .flushSet(name)])) == .committed)
          #expect(try socket.elements(of: Self.leases).isEmpty)
        }
      }
    }

    @Test func manyElementsFitOneTransactionAndAreReadBack() throws {
      try NetworkNamespace().run {
        let socket = try Self.sockets([Self.leases])[0]
        let elements = (0..<20_000).map { index in
          SetElement([bigEndianBytes(UInt32(0x0a00_0000 + index))], mark: UInt32(index), timeout: .seconds(600))
        }
        let name = Self.leases.name
        #expect(socket.commit(KernelTransaction([.addElements(name, elements)])) == .committed)
        let read = Dictionary(uniqueKeysWithValues: try socket.elements(of: Self.leases).map { ($0.key[0], $0.mark) })
        #expect(read.count == 20_000)
        #expect(elements.allSatisfy { read[$0.key[0]] == $0.mark })
        #expect(socket.commit(KernelTransaction([.deleteElements(name, elements)])) == .committed)
        #expect(try socket.elements(of: Self.leases).isEmpty)
      }
    }

    /// Out of order, touching each other, one address, and up to the highest.
    static let ranges: [SetElement] = [
      SetElement([[192, 0, 2, 7]], last: [[192, 0, 2, 7]], mark: 4),
      SetElement([[10, 1, 0, 0]], last: [[10, 1, 255, 255]], mark: 2),
      SetElement([[10, 0, 0, 0]], last: [[10, 0, 255, 255]], mark: 1),
      SetElement([[240, 0, 0, 0]], last: [[255, 255, 255, 255]], mark: 5),
      SetElement([[0, 0, 0, 0]], last: [[0, 255, 255, 255]], mark: 3, timeout: .seconds(60)),
    ]

    @Test func rangesAreListedAndReadBackAsGiven() throws {
      try NetworkNamespace().run {
        for socket in try Self.sockets([Self.blocks]) {
          let name = Self.blocks.name
          #expect(socket.commit(KernelTransaction([.addElements(name, Self.ranges)])) == .committed)
          let read = try socket.elements(of: Self.blocks)
          let expected = [4, 2, 1, 0, 3].map { Self.ranges[$0] }
          #expect(read.map(\.key) == expected.map(\.key))
          #expect(read.map(\.last) == expected.map(\.last))
          #expect(read.map(\.mark) == expected.map(\.mark))
          let listed = shell("nft list table inet \(socket.table)")
          for text in [
            "10.0.0.0/16 : 0x00000001", "10.1.0.0/16 : 0x00000002", "192.0.2.7 : 0x00000004",
            "240.0.0.0/4 : 0x00000005",
          ] {
            #expect(listed.contains(text), "\(text) in \(listed)")
          }
          // Renewal and removal work on ranges too.
          #expect(socket.commit(KernelTransaction([.renewElements(name, Self.ranges)])) == .committed)
          #expect(
            socket.commit(KernelTransaction([.destroyElements(name, [Self.ranges[1], Self.ranges[3]])])) == .committed)
          #expect(try socket.elements(of: Self.blocks).map(\.mark) == [3, 1, 4])
          #expect(socket.commit(KernelTransaction([.destroyElements(name, Self.ranges)])) == .committed)
          #expect(try socket.elements(of: Self.blocks).isEmpty)
        }
      }
    }

    @Test func concatenatedRangesAreListedAndReadBackAsGiven() throws {
      try NetworkNamespace().run {
        for socket in try Self.sockets([Self.portBlocks]) {
          let name = Self.portBlocks.name
          let elements = [
            SetElement([[10, 0, 0, 0], [6], [0, 80]], last: [[10, 0, 255, 255], [6], [0, 90]], mark: 1),
            SetElement([[10, 2, 0, 0], [17], [0, 0]], last: [[10, 2, 0, 255], [17], [255, 255]], mark: 2),
          ]
          #expect(socket.commit(KernelTransaction([.addElements(name, elements)])) == .committed)
          let read = try socket.elements(of: Self.portBlocks).sorted { ($0.mark ?? 0) < ($1.mark ?? 0) }
          #expect(read == elements)
          let listed = shell("nft list table inet \(socket.table)")
          #expect(listed.contains("10.0.0.0/16 . tcp . 80-90 : 0x00000001"), "\(listed)")
          #expect(socket.commit(KernelTransaction([.renewElements(name, elements)])) == .committed)
          #expect(socket.commit(KernelTransaction([.destroyElements(name, [elements[0]])])) == .committed)
          #expect(socket.commit(KernelTransaction([.destroyElements(name, elements)])) == .committed)
          #expect(try socket.elements(of: Self.portBlocks).isEmpty)
        }
      }
    }

    @Test func elementsOfAnAbsentSetAreAnError() throws {
      try NetworkNamespace().run {
        let socket = try NftablesSocket()
        #expect(throws: NetlinkError.failed(operation: "list set lease4", code: 2)) {
          try socket.elements(of: Self.leases)
        }
      }
    }
  }
}
