import Firewall
import Testing
import Timekeeping

@testable import Netfilter

extension KernelTests {
  /// What the kernel tells of the rules, and what they are.
  @Suite(.serialized) struct RulesetMonitorTests {
    private static let lease = SetElement([[192, 0, 2, 1]], mark: 7, timeout: .seconds(3600))

    /// With the ruleset loaded, a monitor, and everything read that came before.
    private func watching(_ body: @escaping (NftablesSocket, inout RulesetMonitor) throws -> Void) throws {
      try NetworkNamespace().run {
        let socket = try NftablesSocket()
        var monitor = try RulesetMonitor.open(besides: socket)
        try #require(socket.commit(Ruleset(InstallationTests.parameters()).installation()) == .committed)
        try body(socket, &monitor)
      }
    }

    @Test func ownChangesAreNotHeard() throws {
      try watching { socket, monitor in
        #expect(socket.commit(KernelTransaction([.renewElements(.lease4, [Self.lease])])) == .committed)
        #expect(socket.commit(KernelTransaction([.deleteElements(.lease4, [Self.lease])])) == .committed)
        #expect(socket.commit(Ruleset(InstallationTests.parameters()).installation()) == .committed)
        #expect(monitor.read() == RulesetMonitor.Findings())
      }
    }

    @Test(arguments: [
      ("nft add rule inet sallyport out accept", "rule of chain out", true),
      ("nft flush chain inet sallyport steer", "rule of chain steer", true),
      ("nft add element inet sallyport lease4 '{ 192.0.2.9 : 7 }'", "elements of lease4", false),
      ("nft delete element inet sallyport lease4 '{ 192.0.2.1 }'", "elements of lease4", false),
      ("nft flush map inet sallyport lease4", "elements of lease4", false),
      ("nft chain inet sallyport out '{ policy accept; }'", "chain out", true),
      ("nft add chain inet sallyport more '{ type nat hook output priority -150; }'", "chain more", true),
      ("nft add set inet sallyport more '{ type mark; }'", "set more", true),
      ("nft add table inet sallyport '{ flags dormant; }'", "table inet sallyport", true),
      ("nft add counter inet sallyport more", "object more", true),
      ("nft delete table inet sallyport", "table inet sallyport", true),
      ("nft flush ruleset", "table inet sallyport", true),
    ]) func changesOfOthersAreHeardWithWhoMadeThem(_ command: String, _ object: String, _ isStructural: Bool) throws {
      try watching { socket, monitor in
        #expect(socket.commit(KernelTransaction([.addElements(.lease4, [Self.lease])])) == .committed)
        #expect(shell(command) == "")
        let change = try #require(monitor.read().change)
        #expect(change.object == object)
        #expect(change.isStructural == isStructural)
        #expect(change.text.contains("; by nft (process "), "\(change.text)")
        #expect(monitor.read() == RulesetMonitor.Findings())
      }
    }

    @Test func changesOfOtherTablesAreToldApart() throws {
      try watching { _, monitor in
        #expect(shell("nft add table ip sallyport; nft add chain ip sallyport out") == "")
        let findings = monitor.read()
        #expect(findings.change == nil)
        #expect(findings.othersChanged)
      }
    }

    @Test func lostMessagesAreAChangeOfWhichNothingIsKnown() throws {
      try watching { _, monitor in
        let many =
          "for i in $(seq 20000); do echo \"add element inet sallyport block4 { 10.$((i / 250)).$((i % 250)).0 : 7 }\"; done"
        #expect(shell("{ \(many); } >$TMPDIR/many.nft; nft -f $TMPDIR/many.nft; nft -f $TMPDIR/many.nft").isEmpty)
        let change = try #require(monitor.read().change)
        #expect(change.isStructural)
        #expect(change.object == "table inet sallyport")
      }
    }

    @Test func structureIsTheSameUntilSomethingButElementsChanges() throws {
      try watching { socket, _ in
        let first = try #require(try socket.structure())
        #expect(first.count > 1_000)
        #expect(socket.commit(KernelTransaction([.addElements(.lease4, [Self.lease])])) == .committed)
        #expect(TestSocket.tcp(to: "127.0.0.1", 7000).failure != 0)
        #expect(try socket.structure() == first)
        for command in [
          "nft chain inet sallyport out '{ policy accept; }'", "nft add chain inet sallyport more",
          "nft add rule inet sallyport out accept", "nft add set inet sallyport more '{ type mark; }'",
          "nft add table inet sallyport '{ flags dormant; }'", "nft flush chain inet sallyport astray",
        ] {
          let before = try socket.structure()
          #expect(shell(command) == "")
          #expect(try socket.structure() != before, "\(command)")
        }
        #expect(shell("nft delete table inet sallyport") == "")
        #expect(try socket.structure() == nil)
      }
    }

    @Test func aSleepingTableIsWokenByTheNextInstallation() throws {
      try watching { socket, _ in
        #expect(shell("nft add table inet sallyport '{ flags dormant; }'") == "")
        #expect(shell("nft list ruleset").contains("dormant"))
        #expect(socket.commit(Ruleset(InstallationTests.parameters()).installation()) == .committed)
        #expect(!shell("nft list ruleset").contains("dormant"))
      }
    }
  }
}
