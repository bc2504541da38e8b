"""The soak in its short form; the long one is `python3 -B Tests/EndToEnd/soak.py --seconds 600`."""
import os, unittest

from soak import Soak
from stage import Lab


class ShortSoak(unittest.TestCase):
    def test_half_a_minute_of_faults_kills_and_changes_loses_nothing_and_leaks_nothing(self):
        seed = int(os.environ.get("SALLYPORT_SOAK_SEED", "20261125"))
        with Lab() as lab:
            soak = Soak(lab, 30, seed)
            self.assertEqual(soak.run(), [], f"seed {seed}: {dict(soak.counts)}")
        self.assertGreater(soak.counts["kills"] + soak.counts["stops"], 0)
        self.assertGreater(soak.counts["hub faults"], 0)
        self.assertGreater(soak.counts["changes"], 0)
        self.assertGreater(soak.counts["did DnsDenied"], 60)
        self.assertGreater(soak.counts["did flow"], 10)


if __name__ == "__main__":
    unittest.main()
