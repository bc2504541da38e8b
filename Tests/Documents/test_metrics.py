"""deploy/metrics.md lists the metrics as the sources have them. That the running daemon shows these is checked end to end."""
import unittest

import sources, tables


class Metrics(unittest.TestCase):
    def test_the_page_lists_the_metrics_of_the_sources(self):
        self.assertEqual(tables.METRICS.read_text(), tables.metrics_page())

    def test_names_follow_the_custom_of_prometheus(self):
        found = sources.metrics()
        self.assertGreater(len(found), 30)
        self.assertEqual(len({name for name, _, _ in found}), len(found))
        for name, kind, meaning in found:
            self.assertEqual(name.endswith("_total"), kind == "counter", name)
            self.assertTrue(meaning.endswith("."), name)


if __name__ == "__main__":
    unittest.main()
