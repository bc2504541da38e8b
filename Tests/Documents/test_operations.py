"""The pages for operators speak of what there is: kinds, reasons, metrics, settings, paths."""
import json, re, runpy, unittest

import sources

DOCS = sources.ROOT / "deploy" / "docs"
PAGES = {path.name: path.read_text() for path in DOCS.glob("*.md")}


class Operations(unittest.TestCase):
    def test_azure_s_columns_are_those_of_the_record_s_schema(self):
        made = runpy.run_path(str(sources.ROOT / "deploy" / "azure" / "generate"))
        self.assertEqual(json.loads((sources.ROOT / "deploy" / "azure" / "columns.json").read_text()), made["columns"](), "run: deploy/azure/generate")
        self.assertEqual((sources.ROOT / "deploy" / "azure" / "kql" / "transform.kql").read_text(), made["transform"](), "run: deploy/azure/generate")

    def test_links_between_pages_lead_to_files_and_headings(self):
        for name, text in PAGES.items():
            for link in re.findall(r"\]\(([^)\s]+)\)", text):
                if re.match(r"https?:", link):
                    continue
                path, _, heading = link.partition("#")
                target = (DOCS / path).resolve() if path else DOCS / name
                with self.subTest(page=name, link=link):
                    self.assertTrue(target.exists())
                    if heading:
                        slugs = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.+)$", target.read_text(), re.M)}
                        self.assertIn(heading, slugs)

    def test_paths_in_commands_exist(self):
        for name, text in PAGES.items():
            for path in set(re.findall(r"\b((?:deploy|policies|Tests)/[\w./-]+\w)", text)):
                with self.subTest(page=name, path=path):
                    self.assertTrue((sources.ROOT / path).exists())

    def test_settings_and_metrics_named_are_there(self):
        settings = set(re.findall(r'"((?:SALLYPORT|OPENSANDBOX_EGRESS)_\w+)"', "".join(path.read_text() for path in (sources.ROOT / "Sources" / "Configuration").glob("*.swift"))))
        metrics = {f"sallyport_{name}" for name, _, _ in sources.metrics()}
        self.assertGreater(len(settings), 40)
        for name, text in PAGES.items():
            for setting in set(re.findall(r"\bSALLYPORT_[A-Z0-9_]*[A-Z0-9]\b", text)):
                with self.subTest(page=name, setting=setting):
                    self.assertIn(setting, settings)
            for metric in set(re.findall(r"\bsallyport_[a-z_]+\b", text)):
                with self.subTest(page=name, metric=metric):
                    self.assertIn(metric, metrics)

    def test_the_runbook_knows_every_kind_of_record_and_every_reason(self):
        kinds = (sources.ROOT / "Sources" / "FlowAudit" / "RecordKind.swift").read_text()
        for word in re.findall(r'case `?\w+`? = "(\w+)"', kinds.split("enum RecordSeverity")[0]):
            with self.subTest(word):
                self.assertIn(f"`{word}`", PAGES["runbook.md"])


if __name__ == "__main__":
    unittest.main()
