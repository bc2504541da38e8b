"""The policies that ship: each by itself and all of them together, asked of the running daemon."""
import json, unittest

from stage import ROOT, LabCase, wait_for

# What each opens, and what it must not: TARGET, PORT, PROTOCOL.
PACKS = {
    "default-deny": ([], [("registry.npmjs.org", 443, "tcp"), ("10.0.0.1", 443, "tcp")]),
    "npm-toolchain": ([("registry.npmjs.org", 443, "tcp")], [("registry.npmjs.org", 80, "tcp"), ("www.npmjs.com", 443, "tcp")]),
    "go-toolchain": ([("proxy.golang.org", 443, "tcp"), ("sum.golang.org", 443, "tcp")], [("github.com", 443, "tcp"), ("proxy.golang.org", 443, "udp")]),
    "rust-toolchain": ([("index.crates.io", 443, "tcp"), ("static.crates.io", 443, "tcp"), ("static.rust-lang.org", 443, "tcp")], [("crates.io.example.com", 443, "tcp")]),
    "github": ([("github.com", 443, "tcp"), ("codeload.github.com", 443, "tcp")], [("gist.github.com", 443, "tcp"), ("github.com", 22, "tcp")]),
    "azure-ai-foundry": ([("example-resource.openai.azure.com", 443, "tcp"), ("login.microsoftonline.com", 443, "tcp")], [("other.openai.azure.com", 443, "tcp")]),
    "azure-event-hubs": ([("example-namespace.servicebus.windows.net", port, "tcp") for port in (443, 5671, 9093)], [("other.servicebus.windows.net", 443, "tcp")]),
    "azure-artifacts": ([("pkgs.dev.azure.com", 443, "tcp"), ("a.vsblob.vsassets.io", 443, "tcp")], [("dev.azure.com", 443, "tcp"), ("vsassets.io", 443, "tcp")]),
    "kubernetes-services": ([("db.shop.svc.cluster.local", 5432, "tcp"), ("10.96.7.7", 443, "tcp")], [("10.96.0.1", 443, "tcp"), ("10.96.7.7", 22, "tcp"), ("10.244.0.9", 443, "tcp")]),
    "agent-model-only": ([("example-resource.openai.azure.com", 443, "tcp")], [("login.microsoftonline.com", 443, "tcp"), ("pypi.org", 443, "tcp")]),
    "package-registry": ([("a.artifacts.example.com", 443, "udp")], [("telemetry.artifacts.example.com", 443, "tcp")]),
    "internal-database": ([("10.20.1.1", 5432, "tcp"), ("fd00:20::1", 5432, "tcp")], [("10.20.0.1", 5432, "tcp"), ("10.20.1.1", 22, "tcp")]),
    "ticketed-access": ([("status.example.com", 443, "tcp")], [("tickets.example.com", 443, "tcp")]),
}


def pack(name):
    return json.loads((ROOT / "policies" / f"{name}.json").read_text())


class Packs(LabCase):
    has_hub = False
    settings = {"SALLYPORT_EVENTHUB_URL": None, "SALLYPORT_EVENTHUB_AUTH": None, "SALLYPORT_EVENTHUB_TOKEN_FILE": None,
                "SALLYPORT_CA_FILE": None, "SALLYPORT_AUDIT_FILE": "/dev/null"}

    def explained(self, target, port, protocol):
        return self.lab.api("GET", f"/policy/explain?target={target}&port={port}&protocol={protocol}")[1]

    def test_C8_each_pack_opens_what_it_says_and_nothing_beside(self):
        self.assertEqual(set(PACKS), {path.stem for path in (ROOT / "policies").glob("*.json")} - {"policy.schema"})
        for name, (opened, closed) in PACKS.items():
            with self.subTest(pack=name):
                self.assertEqual(self.lab.api("PUT", "/policy", pack(name))[0], 200)
                for question in opened:
                    self.assertTrue(self.explained(*question)["allowed"], question)
                for question in closed:
                    self.assertFalse(self.explained(*question)["allowed"], question)

    def test_packs_compose_by_patching_one_after_the_other(self):
        self.assertEqual(self.lab.api("PUT", "/policy", pack("default-deny"))[0], 200)
        composed = [name for name in PACKS if name not in ("default-deny", "agent-model-only")]
        for name in composed:
            self.assertEqual(self.lab.api("PATCH", "/policy", pack(name)["egress"])[0], 200, name)
        for name in composed:
            for question in PACKS[name][0]:
                self.assertTrue(self.explained(*question)["allowed"], question)
        self.assertFalse(self.explained("10.96.0.1", 443, "tcp")["allowed"])
        self.assertIn("status: NXDOMAIN", self.lab.lookup("pypi.org"))

    def test_every_rule_of_a_pack_says_what_it_opens_and_why(self):
        for name in PACKS:
            if name in ("default-deny", "package-registry", "internal-database", "ticketed-access"):
                continue
            for rule in pack(name)["egress"]:
                self.assertGreater(len(rule.get("reason", "")), 5, (name, rule))
            self.assertIn(f"[{name}.json]({name}.json)", (ROOT / "policies" / "README.md").read_text())


if __name__ == "__main__":
    unittest.main()
