"""F12 to F14: the hub refuses a token, the pod's own token is gone, the authority is down."""
import json, os, unittest

from authority import replace
from identity import IdentityCase
from stage import wait_for


class F12TokenRefused(IdentityCase):
    """F12: the hub refuses the token mid-stream. One refresh and one resend; a storm of 401 does not reach the authority."""

    def test_F12_one_refresh_and_a_storm_of_401_does_not_reach_the_authority(self):
        self.ask("before.elsewhere.test")
        before = len(self.authority.requests)
        # Revoked: the one token that is refused is replaced, and everything goes on.
        replace(self.lab.folder / "hub.token", "revoked meanwhile")
        self.ask("revoked.elsewhere.test")
        self.assertEqual(len(self.authority.requests), before + 1)
        # Every token is refused: attempts go on, exchanges are half a minute apart.
        self.authority.answer(keep=True)
        replace(self.lab.folder / "hub.token", "nobody has this one")
        refused = self.unauthorized()
        self.lab.lookup("storm.elsewhere.test")
        wait_for("a storm", lambda: self.unauthorized() >= refused + 5, 40)
        self.assertLessEqual(len(self.authority.requests), before + 3)
        self.assertTrue(self.waits("storm.elsewhere.test"))
        self.authority.answer()
        self.arrived("DnsDenied", 60, DnsQuery="storm.elsewhere.test")
        self.assertComplete()

    def unauthorized(self):
        text = self.lab.api("GET", "/metrics", token=None)[1]
        return int(text.split('delivery_retries_total{cause="unauthorized"} ')[1].split("\n")[0])


class F13FederatedFile(IdentityCase):
    """F13: the federated token's file is rotated, swapped by symlink, empty, missing: the newest content counts, and the old access token is kept."""

    def asked(self, assertion, since):
        return any(r["body"].startswith(f"client_assertion={assertion}&".encode()) for r in self.authority.requests[since:])

    def test_F13_the_newest_content_is_used_and_a_missing_file_keeps_the_old_token(self):
        self.authority.answer(lifetime=16)
        self.restart()
        self.ask("first.elsewhere.test")
        with self.subTest("rotated as the kubelet does, by a symlink"):
            folder = self.lab.folder / "..2026"
            folder.mkdir()
            (folder / "token").write_text("rotated.by.symlink")
            before = len(self.authority.requests)
            os.symlink(folder / "token", self.lab.folder / "link")
            os.rename(self.lab.folder / "link", self.file)
            wait_for("the new content is exchanged", lambda: self.asked("rotated.by.symlink", before), 30)
        with self.subTest("empty, then missing"):
            (folder / "token").write_text("")
            wait_for("it is said", lambda: self.said("the hub's token is not renewed", "holds no token"), 30)
            self.file.unlink()
            wait_for("it is said", lambda: self.said("not renewed", "ENOENT") or self.said("no token for the hub", "ENOENT"), 30)
            wait_for("the token ends", lambda: self.said("the token ends and there is no new one yet"), 30)
            self.lab.lookup("kept.elsewhere.test")
        with self.subTest("back again"):
            self.assertTrue(self.waits("kept.elsewhere.test"))
            self.authority.answer()
            replace(self.file, "back.once.more\n")
            self.arrived("DnsDenied", 60, DnsQuery="kept.elsewhere.test")
            self.assertTrue(self.asked("back.once.more", 0))
        self.assertComplete()


class F14AuthorityDown(IdentityCase):
    """F14: the authority is down or slow. No effect until the token ends; then the data is kept, and without evidence there is no egress."""
    settings = {"SALLYPORT_AUDIT_LEASE": "6s"}

    def test_F14_no_effect_until_the_token_ends_then_closed_and_said_and_everything_is_kept(self):
        self.authority.answer(lifetime=24)
        self.restart()
        self.ask("before.elsewhere.test")
        wait_for("egress is open", lambda: self.lab.connect("198.51.100.98", 7000)["result"] == "connected", 10)
        self.authority.answer(status=503, body="<html>busy</html>")
        wait_for("an exchange fails", lambda: self.said("the hub's token is not renewed", "answered 503"), 40)
        self.assertEqual(self.lab.connect("198.51.100.98", 7000)["result"], "connected")
        self.ask("meanwhile.elsewhere.test")
        self.authority.answer(hang=30)
        wait_for("the token ends", lambda: self.said("the token ends and there is no new one yet"), 40)
        self.lab.lookup("after.elsewhere.test")
        wait_for("egress is closed", lambda: self.lab.connect("198.51.100.98", 7000)["result"] == "refused", 20)
        status, reasons, _ = self.lab.api("GET", "/readyz", token=None)
        self.assertEqual(status, 503)
        self.assertIn("AUDIT_LEASE_EXPIRED", json.dumps(reasons))
        self.assertIn("token", json.dumps(self.audit()))
        wait_for("one that hangs is given up", lambda: self.said("no token for the hub", "deadline"), 20)
        self.authority.stop()
        wait_for("one that refuses connections is tried again", lambda: self.said("no token for the hub", "connect"), 40)
        self.assertTrue(self.waits("after.elsewhere.test"))
        self.authority.answer()
        self.authority.start()
        self.arrived("DnsDenied", 60, DnsQuery="after.elsewhere.test")
        wait_for("egress reopens by itself", lambda: self.lab.connect("198.51.100.98", 7000)["result"] == "connected", 20)
        self.arrived("FlowDenied", 20, EventOriginalResultDetails="AUDIT_LEASE_EXPIRED")
        self.assertComplete()


if __name__ == "__main__":
    unittest.main()
