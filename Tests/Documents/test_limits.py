"""The README's table of limits says what the sources say, and leaves no limit out."""
import unittest

import sources


class Limits(unittest.TestCase):
    def setUp(self):
        self.constants = sources.constants()
        self.rows = list(sources.limit_rows())
        self.named = [(module, name) for module, names, _, _ in self.rows for name in names]

    def test_sources_have_limits_at_all(self):
        # If the parser of the sources stopped finding any, every other claim here would hold.
        self.assertGreater(len([key for key in self.constants if sources.is_limit(key)]), 80)

    def test_every_value_is_that_of_the_source(self):
        for module, names, values, _ in self.rows:
            self.assertEqual(len(names), len(values), f"{module}: {names} has {len(values)} values")
            for name, value in zip(names, values):
                with self.subTest(limit=f"{module} {name}"):
                    self.assertIn((module, name), self.constants, "no such constant with a literal value")
                    self.assertEqual(sources.parse_value(value), self.constants[module, name][0])

    def test_every_limit_of_the_sources_is_listed(self):
        missing = sorted(key for key in self.constants if sources.is_limit(key) and key not in self.named)
        self.assertEqual(missing, [], "run python3 Tests/Documents/tables.py --write")

    def test_every_limit_has_a_reason_and_stands_once(self):
        for module, names, _, why in self.rows:
            self.assertTrue(why, f"{module} {names}: no reason")
        self.assertEqual(len(self.named), len(set(self.named)))

    def test_values_are_read_with_their_units(self):
        for text, value in (("8 MiB", 8 << 20), ("240,000 B", 240_000), ("500 ms", 500_000_000), ("3 s", 3 * 10**9), ("64", 64)):
            self.assertEqual(sources.parse_value(text), value)
        for text, value in (("8 << 20", 8 << 20), ("64 * 1024", 65_536), ("TimeSpan.milliseconds(20)", 20_000_000), ("0x7fff_ffff", (1 << 31) - 1), ("max(a, b)", None)):
            self.assertEqual(sources.evaluate(text), value)


if __name__ == "__main__":
    unittest.main()
