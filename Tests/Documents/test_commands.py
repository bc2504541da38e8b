"""The commands that the README tells of are there, and those it says are not there yet are not."""
import os, re, subprocess, unittest

import daemon, sources

# An unknown setting: a binary that ignored its arguments would stop at it instead of starting the daemon.
ENVIRONMENT = {"PATH": os.environ["PATH"], "SALLYPORT_NO_SUCH_SETTING": "1"}


def run(*arguments, **environment):
    return subprocess.run([daemon.executable(), *arguments], env={**ENVIRONMENT, **environment}, capture_output=True, text=True, timeout=30)


@unittest.skipUnless(daemon.executable(), "sallyport is not built: swift build -c release")
class Commands(unittest.TestCase):
    def setUp(self):
        if not daemon.has_check():
            self.skipTest("this build of sallyport has no commands but `run`")
        self.section = sources.README.split("### Commands")[1].split("### Policy")[0]

    def test_every_command_of_the_table_has_help_with_its_options(self):
        rows = re.findall(r"^\| `sallyport (\w+)([^`]*)`", self.section, re.M)
        self.assertEqual({name for name, _ in rows}, {"run", "check", "explain", "doctor", "inject", "owner", "verify", "top", "version"})
        for name, rest in rows:
            with self.subTest(command=name):
                result = run(name, "--help")
                self.assertEqual(result.returncode, 0)
                for option in re.findall(r"--[\w-]+", rest):
                    self.assertIn(option, result.stdout)

    def test_help_names_no_command_that_the_table_lacks(self):
        for name in set(re.findall(r"^ +sallyport (\w+)", run("--help").stdout, re.M)):
            self.assertIn(f"`sallyport {name}", self.section)

    def test_what_is_not_there_yet_is_refused(self):
        missing = re.search(r"^- `sallyport (\w+)`((?:, `\w+`)*)", sources.README.split("## 9.")[1], re.M)
        for name in [missing[1]] + re.findall(r"`(\w+)`", missing[2]) if missing else []:
            with self.subTest(command=name):
                self.assertEqual(run(name).returncode, 2)

    def test_exit_codes_are_those_of_the_table(self):
        policy = sources.ROOT / "policies" / "package-registry.json"
        for arguments, code in (
            (("run", "--print-configuration"), 2),
            (("check", policy), 0),
            (("check", "no-such-file"), 1),
            (("check",), 2),
            (("explain", "--policy", policy, "registry.example.com:443"), 0),
            (("explain", "--policy", policy, "registry.example.com:80"), 1),
            (("explain", "registry.example.com"), 2),
            (("verify", policy), 1),
            (("verify",), 2),
            (("version",), 0),
            (("version", "--no-such-option"), 2),
        ):
            with self.subTest(arguments=arguments):
                result = run(*arguments)
                self.assertEqual(result.returncode, code, result.stderr)

    def test_configuration_in_force_without_settings_is_the_table_of_settings(self):
        result = subprocess.run([daemon.executable(), "run", "--print-configuration"], env={"PATH": os.environ["PATH"], "SALLYPORT_DNS_UPSTREAM": "192.0.2.1"},
                                capture_output=True, text=True, timeout=30)
        self.assertEqual(result.returncode, 0, result.stderr)
        printed = dict(re.findall(r"^(\w+)=(.*?)  # ", result.stdout, re.M))
        stated = sources.settings()
        self.assertEqual([name for name in stated if name in printed], list(printed))
        for name in ("SALLYPORT_STATE_DIR", "SALLYPORT_SPOOL_MAX", "SALLYPORT_AUDIT_FAIL", "SALLYPORT_INGRESS", "SALLYPORT_RUN_AS", "SALLYPORT_API_LISTEN", "SALLYPORT_DNS_LISTEN"):
            self.assertEqual(printed[name], stated[name][1])


if __name__ == "__main__":
    unittest.main()
