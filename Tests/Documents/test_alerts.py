"""The alert rules for Prometheus: judged by promtool, made of metrics that there are."""
import re, shutil, subprocess, unittest

from sources import ROOT

ALERTS = ROOT / "deploy" / "alerts"


class Prometheus(unittest.TestCase):
    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed (deploy/install test)")
    def test_promtool_takes_the_rules_and_their_tests_pass(self):
        for command in (("check", "rules", "prometheus.yml"), ("test", "rules", "prometheus-tests.yml")):
            result = subprocess.run(["promtool", *command], cwd=ALERTS, capture_output=True, text=True)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_every_metric_is_one_that_there_is(self):
        known = set(re.findall(r"`(sallyport_\w+)`", (ROOT / "deploy" / "metrics.md").read_text()))
        for name in ("prometheus.yml", "prometheus-tests.yml"):
            used = set(re.findall(r"\bsallyport_\w+", (ALERTS / name).read_text()))
            self.assertTrue(used)
            self.assertEqual(used - known, set(), name)

    def test_every_cause_is_one_that_there_is(self):
        source = (ROOT / "Sources/Forwarder/ForwarderAction.swift").read_text()
        block = source[source.index("enum RetryCause"):]
        known = {literal or name for name, literal in re.findall(r'case (\w+)(?: = "(\w+)")?', block[:block.index("\n}")])}
        for causes in re.findall(r'cause=~?"([^"]+)"', (ALERTS / "prometheus.yml").read_text()):
            self.assertLessEqual(set(causes.split("|")), known)

    def test_every_alert_is_explained(self):
        alerts = set(re.findall(r"alert: (\w+)", (ALERTS / "prometheus.yml").read_text()))
        explained = set(re.findall(r"`(Sallyport\w+)`", (ALERTS / "README.md").read_text()))
        self.assertEqual(alerts, explained)
