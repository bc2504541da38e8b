"""The security promise: each sentence is cited by the code that keeps it, and names tests that are there."""
import re, unittest

import sources

TEXT = (sources.ROOT / "deploy" / "docs" / "security-promise.md").read_text()
SENTENCES = dict(re.findall(r"^- \*\*([A-Z]\d+)\*\* (.*?)(?=\n- \*\*|\n\n|\Z)", TEXT, re.M | re.S))


class Promise(unittest.TestCase):
    def test_every_sentence_is_cited_by_code_and_every_citation_leads_to_one(self):
        cited = set()
        for path in (sources.ROOT / "Sources").rglob("*.swift"):
            for group in re.findall(r"Promise ([A-Z]\d+(?:(?:, | and )[A-Z]\d+)*)", path.read_text()):
                cited |= set(re.findall(r"[A-Z]\d+", group))
        # What it cannot hold, no code can keep; before the first start there is none.
        self.assertEqual({s for s in SENTENCES if s[0] != "X"} - cited, set())
        self.assertEqual(cited - set(SENTENCES), set())

    def test_every_sentence_names_tests_that_are_there(self):
        files = {path.name for path in (sources.ROOT / "Tests").rglob("*")}
        for number, sentence in SENTENCES.items():
            with self.subTest(number):
                named = re.findall(r"`(\w+\.(?:py|swift))`", sentence.partition("Tests:")[2] or sentence)
                self.assertTrue(named or number.startswith("X"), sentence)
                self.assertEqual([name for name in named if name not in files], [])

    def test_the_readme_leads_to_it(self):
        self.assertIn("](deploy/docs/security-promise.md)", sources.README)
        self.assertGreater(len(SENTENCES), 20)


if __name__ == "__main__":
    unittest.main()
