"""The README's table of settings is the one that SettingTable makes."""
import re, unittest

import sources, tables


class Settings(unittest.TestCase):
    def test_every_setting_of_the_source_is_read(self):
        text = (sources.ROOT / "Sources/Configuration/SettingTable.swift").read_text()
        self.assertEqual(len(sources.settings()), len(re.findall(r"\bSetting\(", text)))

    def test_the_table_is_that_of_the_source(self):
        self.assertEqual(sources.between("settings"), tables.settings_table(), "run python3 Tests/Documents/tables.py --write")

    def test_no_unknown_setting_is_named(self):
        known = set(sources.settings())
        known |= {f"{name}_FILE" for name, (kind, *_) in sources.settings().items() if kind == "secret"}
        known |= {other for *_, other in sources.settings().values() if other}
        named = set(re.findall(r"\b(?:SALLYPORT|OPENSANDBOX_EGRESS|AZURE)_[A-Z0-9_]*[A-Z0-9]\b", sources.README))
        self.assertEqual(sorted(named - known), [])


if __name__ == "__main__":
    unittest.main()
