"""Whatever the README points to is there."""
import json, re, unittest

import sources

# Names in backticks that look like paths and are not ours.
FOREIGN = re.compile(r"^(/|https?:|\$|~)")


class Paths(unittest.TestCase):
    def test_links_lead_to_files(self):
        links = re.findall(r"\]\(([^)#\s]+)", sources.README)
        self.assertTrue(links)
        for link in links:
            if not FOREIGN.match(link):
                with self.subTest(link=link):
                    self.assertTrue((sources.ROOT / link).exists())

    def test_paths_in_backticks_exist(self):
        named = {word for code in re.findall(r"`([^`\n]+)`", sources.README) for word in code.split()
                 if re.match(r"^\.?(deploy|policies|Sources|Tests|\.ci)/[\w./-]+$", word) and "MODULE" not in word}
        self.assertTrue(named)
        for path in sorted(named):
            with self.subTest(path=path):
                self.assertTrue((sources.ROOT / path).exists())

    def test_modules_of_the_reading_order_are_those_of_the_package_in_its_order(self):
        package = re.findall(r'(?:core\(\s*|arget\(\s*name: |systemLibrary\(\s*name: )"([\w-]+)"', (sources.ROOT / "Package.swift").read_text().split("  targets: [")[1].split("// The simulated world")[0])
        section = sources.README.split("## 8.")[1].split("House rules")[0]
        named = [name for row in re.findall(r"^\| (`.*?) \|", section, re.M) for name in re.findall(r"`([\w-]+)`", row)]
        self.assertEqual(named, [name for name in package if not name.startswith("C") or name == "Configuration"])

    def test_modules_named_have_sources(self):
        for name in re.findall(r"^\| `(\w+)` \|", sources.README.split("## 8.")[1], re.M):
            self.assertTrue((sources.ROOT / "Sources" / name).is_dir(), name)

    def test_policies_named_are_json(self):
        for path in set(re.findall(r"policies/[\w.-]+\.json", sources.README)):
            json.loads((sources.ROOT / path).read_text())

    def test_every_policy_in_the_folder_is_named(self):
        for path in (sources.ROOT / "policies").glob("*.json"):
            self.assertIn(f"policies/{path.name}", sources.README)


if __name__ == "__main__":
    unittest.main()
