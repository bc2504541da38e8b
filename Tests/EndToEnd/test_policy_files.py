"""Policy by file: changes of the watched file and of the platform's lists, ConfigMap swaps, and bad files."""
import json, os, pathlib, unittest

from stage import Flow, LabCase, allow, deny_all_but, wait_for


def swap(folder, number, files):
    """Replaces what a ConfigMap shows, as the kubelet does: a new folder, and one renamed symbolic link."""
    data = folder / f"..{number}"
    data.mkdir()
    for name, text in files.items():
        (data / name).write_text(text)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(pathlib.Path("..data") / name)
    (folder / "..data_tmp").symlink_to(data.name)
    os.replace(folder / "..data_tmp", folder / "..data")


class PolicyFile(LabCase):
    first = deny_all_but(allow("registry.example.test", "443/tcp"))

    @classmethod
    def prepare(cls):
        cls.config = cls.lab.folder / "config"
        cls.lists = cls.lab.folder / "rules"
        for folder in (cls.config, cls.lists):
            folder.mkdir()
        cls.number = 0
        cls.mount(cls.first)
        cls.settings = {"SALLYPORT_POLICY": None, "SALLYPORT_POLICY_FILE": str(cls.config / "policy.json"),
                        "SALLYPORT_ALWAYS_DIR": str(cls.lists)}

    @classmethod
    def mount(cls, policy):
        cls.number += 1
        swap(cls.config, cls.number, {"policy.json": policy if isinstance(policy, str) else json.dumps(policy)})

    def targets(self):
        return [rule["target"] for rule in self.lab.api("GET", "/policy")[1]["policy"]["egress"]]

    def source(self):
        return self.lab.api("GET", "/policy?stats=true")[1]["stats"]["source"]

    def load(self, policy):
        self.mount(policy)
        wait_for("the file is in force", lambda: self.targets() == [r["target"] for r in policy["egress"]])

    def list(self, name, text):
        (self.lists / f".{name}").write_text(text)
        os.replace(self.lists / f".{name}", self.lists / name)

    def test_a_swapped_config_map_replaces_the_policy_and_cuts_what_it_revokes(self):
        self.load(deny_all_but(allow("registry.example.test"), allow("short.example.test")))
        flow = Flow(self.lab, "short.example.test")
        self.load(self.first)
        self.assertIsNotNone(flow.end()["error"])
        self.assertUnresolved("https://short.example.test/")
        self.assertEqual(self.source(), str(self.config / "policy.json"))
        self.arrived("PolicyChange", Operation="PolicyReload", Object=str(self.config / "policy.json"), EventResult="Success")

    def test_the_api_wins_until_the_file_changes_and_a_restart_keeps_who_won(self):
        self.load(self.first)
        self.assertEqual(self.lab.api("PUT", "/policy", deny_all_but(allow("files.example.test")))[0], 200)
        self.assertEqual(self.source(), "api")
        self.restart()
        self.assertEqual((self.targets(), self.source()), (["files.example.test"], "api"))
        self.load(deny_all_but(allow("many.example.test")))
        self.restart()
        self.assertEqual((self.targets(), self.source()), (["many.example.test"], str(self.config / "policy.json")))

    def test_a_file_that_changed_while_nobody_watched_wins_at_the_start(self):
        self.load(self.first)
        self.assertEqual(self.lab.api("PUT", "/policy", deny_all_but(allow("files.example.test")))[0], 200)
        tag = int(self.lab.api("GET", "/policy")[2]["ETag"].strip('"'))
        self.sidecar.terminate()
        self.sidecar.wait(10)
        self.mount(deny_all_but(allow("alias.example.test")))
        self.start_sidecar()
        self.assertEqual(self.targets(), ["alias.example.test"])
        self.assertGreater(int(self.lab.api("GET", "/policy")[2]["ETag"].strip('"')), tag)

    def test_a_bad_file_leaves_the_last_good_policy_in_force_and_is_said(self):
        self.load(self.first)
        refused = self.metric("policy_file_refused_total")
        self.mount('{"defaultAction":"block"}')
        wait_for("the bad file is counted", lambda: self.metric("policy_file_refused_total") == refused + 1)
        self.assertEqual(self.metric("policy_file_bad"), 1)
        self.assertEqual(self.targets(), ["registry.example.test"])
        self.assertFetches("https://registry.example.test/")
        self.assertIn("$.defaultAction", self.arrived("PolicyChange", Operation="PolicyReload", EventResult="Failure")[0]["EventOriginalResultDetails"])
        (self.config / "policy.json").unlink()
        wait_for("the missing file is counted", lambda: self.metric("policy_file_refused_total") == refused + 2)
        self.assertEqual(self.targets(), ["registry.example.test"])
        self.mount(self.first)
        wait_for("all is well again", lambda: self.metric("policy_file_bad") == 0)

    def test_lists_are_read_again_and_win_over_the_document(self):
        self.load(deny_all_but(allow("*.example.test")))
        self.assertFetches("https://registry.example.test/")
        self.list("deny.always", "registry.example.test   # not today\n")
        wait_for("the list is in force", lambda: not self.lab.api("GET", "/policy/explain?target=registry.example.test")[1]["allowed"])
        self.assertUnresolved("https://registry.example.test/")
        self.list("allow.always", "198.51.100.50\n")
        wait_for("the other too", lambda: self.lab.api("GET", "/policy/explain?target=198.51.100.50")[1]["allowed"])
        self.assertEqual(self.lab.connect("198.51.100.50", 443, payload="")["result"], "connected")
        self.arrived("PolicyChange", Operation="AlwaysReload", Object=str(self.lists), EventResult="Success")
        refused = self.metric("policy_file_refused_total")
        self.list("deny.always", "*.com\n")
        wait_for("the bad list is counted", lambda: self.metric("policy_file_refused_total") == refused + 1)
        self.assertUnresolved("https://registry.example.test/")
        self.list("deny.always", "")
        wait_for("the list is empty", lambda: self.lab.api("GET", "/policy/explain?target=registry.example.test")[1]["allowed"])
        self.assertFetches("https://registry.example.test/")
        self.list("allow.always", "")
        wait_for("nothing is bad", lambda: self.metric("policy_file_bad") == 0)

    def test_what_log_skip_lists_has_no_records_but_is_counted_and_denials_have(self):
        self.load(deny_all_but(allow("*.artifacts.example.test")))
        self.list("log_skip.always", "*.artifacts.example.test\nfiles.example.test\n")
        self.arrived("PolicyChange", Operation="AlwaysReload")
        wait_for("the list is in force", lambda: self.skips("probe.artifacts.example.test"))
        self.assertFetches("https://quiet.artifacts.example.test/")
        self.assertUnresolved("https://files.example.test/")
        self.arrived("DnsDenied", DnsQuery="files.example.test")
        self.assertEqual(self.lab.records("DnsAllowed", DnsQuery="quiet.artifacts.example.test"), [])
        self.assertEqual(self.lab.records("FlowOpen", DstFQDN="quiet.artifacts.example.test"), [])
        self.assertGreaterEqual(self.metric("log_skipped_total"), 3)
        self.assertComplete()
        self.list("log_skip.always", "")

    def skips(self, name):
        before = self.metric("log_skipped_total")
        self.lab.lookup(name)
        return self.metric("log_skipped_total") > before

    def restart(self):
        self.sidecar.terminate()
        self.sidecar.wait(10)
        self.start_sidecar()


if __name__ == "__main__":
    unittest.main()
