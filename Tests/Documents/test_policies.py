"""The policies that the README shows or names are valid."""
import unittest

import daemon, sources


def documents():
    """What is called what: the README's JSON blocks with rules, and the files under policies/."""
    for line, text in sources.blocks("json"):
        if '"egress"' in text:
            yield f"README.md:{line}", text
    for path in sorted((sources.ROOT / "policies").glob("*.json")):
        if path.name != "policy.schema.json":
            yield f"policies/{path.name}", path.read_text()


@unittest.skipUnless(daemon.executable(), "sallyport is not built: swift build -c release")
class Policies(unittest.TestCase):
    def setUp(self):
        if not daemon.has_check():
            self.skipTest("this build of sallyport has no `check` command")

    def test_every_document_passes_check(self):
        found = list(documents())
        self.assertGreaterEqual(len(found), 2)
        for name, text in found:
            with self.subTest(document=name):
                code, output = daemon.check(text)
                self.assertEqual((code, output), (0, ""))

    def test_what_the_readme_calls_refused_is_refused(self):
        for target in ("a*b.com", "*.com", "*.co.uk", "0x7f.1", "10.20.0.1/16"):
            with self.subTest(target=target):
                code, output = daemon.check('{"egress":[{"action":"allow","target":"%s"}]}' % target)
                self.assertEqual(code, 1, output)
                self.assertIn("$.egress[0].target", output)
        for document in ('{"egress":[],"egress":[]}', '{"egress":[],"more":1}', '{"egress":[{"action":"allow","target":"*"}]}'):
            with self.subTest(document=document):
                self.assertEqual(daemon.check(document)[0], 1)


if __name__ == "__main__":
    unittest.main()
