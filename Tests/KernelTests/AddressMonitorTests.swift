import Addressing
import Firewall
import Glibc
import Testing
import Timekeeping

@testable import Netfilter

extension KernelTests {
  /// The pod's own addresses.
  @Suite(.serialized) struct AddressMonitorTests {
    @Test func addressesAreReadAndTheirChangesTold() throws {
      try NetworkNamespace().run {
        setUp(
          "ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up; ip -6 address add fd09::2/64 dev v0 nodad"
        )
        var monitor = try AddressMonitor.open()
        let first = try monitor.read()
        #expect(first.contains(try #require(IPAddress("fd09::2"))))
        #expect(!isReadable(monitor.descriptor))
        setUp("ip -6 address add fd09::3/128 dev v0 nodad; ip -6 address delete fd09::2/64 dev v0")
        #expect(isReadable(monitor.descriptor))
        let second = try monitor.read()
        #expect(second.contains(try #require(IPAddress("fd09::3"))))
        #expect(!second.contains(try #require(IPAddress("fd09::2"))))
        #expect(!isReadable(monitor.descriptor))
      }
    }

    @Test func ofALinkBetweenTwoThePodsEndIsItsAddress() throws {
      try NetworkNamespace().run {
        setUp(
          "ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up; ip -6 address add fd09::2 peer fd09::9/128 dev v0 nodad"
        )
        var monitor = try AddressMonitor.open()
        let found = try monitor.read()
        #expect(found.contains(try #require(IPAddress("fd09::2"))))
        #expect(!found.contains(try #require(IPAddress("fd09::9"))))
      }
    }

    @Test func underAFalseSourceNothingLeaves() throws {
      let world = try InstallationTests.World()
      try world.workload.run {
        let socket = try NftablesSocket()
        let parameters = InstallationTests.parameters { $0.checksSources = true }
        var transaction = Ruleset(parameters).installation()
        transaction.changes += [
          .renewElements(.grants, [SetElement([hostOrderBytes(InstallationTests.World.grant)])]),
          .renewElements(.gate, [SetElement([[10]], timeout: .seconds(600))]),
          .renewElements(.lease6, [InstallationTests.World.lease6]),
        ]
        #expect(socket.commit(transaction) == .committed)
        // 111: ECONNREFUSED, 11: EAGAIN, nobody answers the datagram that arrived.
        #expect(TestSocket.udp(to: "fd09::2", 7000).ask("?") == 111)
        var monitor = try AddressMonitor.open()
        let own = try monitor.read()
        #expect(
          socket.commit(KernelTransaction([.addElements(.sources6, own.map { SetElement([$0.bytes]) })])) == .committed)
        #expect(TestSocket.udp(to: "fd09::2", 7000).ask("?") == 11)
      }
    }

    private func isReadable(_ descriptor: Int32) -> Bool {
      var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      return unsafe Glibc.poll(&poll, 1, 0) == 1
    }
  }
}
