"""F20: the owner is missing, two race to be it, and records wait for the hub meanwhile. Nobody's name is ever guessed."""
import concurrent.futures, unittest

import test_owner
from owners import OTHER_OBJECT
from stage import OWNER_OBJECT, wait_for


class F20Owner(test_owner.OwnerCase):
    def test_F20_records_keep_the_owner_of_their_time_while_the_hub_is_away(self):
        self.hub.kill()
        self.hub.wait(10)
        self.begin()
        for name in ("early-1", "early-2"):
            self.assertIn("NXDOMAIN", self.lab.lookup(f"{name}.example.test"))
        self.assertEqual(self.lab.connect("198.51.100.50", 7000)["result"], "refused")
        tokens = {object: self.issuer.token(object, jti=f"binding-{object[:4]}") for object in (OWNER_OBJECT, OTHER_OBJECT)}
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            answers = dict(zip(tokens, pool.map(self.put, tokens.values())))
        self.assertEqual(sorted(status for status, _, _ in answers.values()), [200, 409], answers)
        winner = next(object for object, (status, _, _) in answers.items() if status == 200)
        self.lab.lookup("late-1.elsewhere.test")
        wait_for("egress is open", lambda: self.lab.connect("198.51.100.50", 7000)["result"] == "connected")
        # Everything is still in the spool; also over a death.
        self.sidecar.kill()
        self.sidecar.wait(10)
        self.begin()
        self.lab.lookup("late-2.elsewhere.test")
        type(self).hub = self.lab.start_hub()
        self.recorded("DnsDenied", DnsQuery="late-2.elsewhere.test")
        self.assertComplete()
        early = [r for r in self.fresh("DnsDenied") if r["DnsQuery"].startswith("early-")]
        self.assertEqual(len(early), 2)
        for record in early + self.fresh("FlowDenied", EventOriginalResultDetails="OWNER_UNBOUND"):
            self.assertEqual(record["SbxOwnerState"], "unbound")
            self.assertEqual({name for name in record if name.startswith("SrcUser") or name == "SbxOwnerBindingId"}, set())
        late = [r for r in self.fresh("DnsDenied") if r["DnsQuery"].startswith("late-")] + self.fresh("FlowOpen", DstIpAddr="198.51.100.50")
        self.assertGreaterEqual(len(late), 3)
        for record in late:
            self.assertEqual((record["SrcUserAadId"], record["SbxOwnerBindingId"]), (winner, f"binding-{winner[:4]}"))
        self.assertEqual({r.get("SrcUserAadId") for r in self.fresh()} - {None}, {winner})


if __name__ == "__main__":
    unittest.main()
