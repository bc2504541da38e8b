"""What checkov has to say of the manifests and of Bicep: nothing but what deploy/checkov.yaml answers."""
import subprocess, unittest

import packages
from stage import ROOT


class Checkov(unittest.TestCase):
    def test_it_finds_nothing_that_is_not_answered(self):
        python = packages.python(packages.FOLDER.with_name("python-checkov"), packages.CHECKOV)
        for folder in ("manifests", "azure"):
            # Without a network: it would ask its vendor.
            result = subprocess.run(["unshare", "-n", python.parent / "checkov", "--config-file", ROOT / "deploy" / "checkov.yaml", "-d", ROOT / "deploy" / folder, "--skip-download", "-o", "cli"],
                                    capture_output=True, text=True, timeout=300)
            with self.subTest(folder):
                self.assertEqual(result.returncode, 0, result.stdout[-3000:] + result.stderr[-1000:])
                self.assertRegex(result.stdout, r"Passed checks: [1-9]\d*, Failed checks: 0")


if __name__ == "__main__":
    unittest.main()
