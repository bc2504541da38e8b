"""T17: what enforcement needs and is not there is named, and nothing becomes ready without it."""
import json, unittest

from stage import Lab, LabCase, allow, binary, deny_all_but, run


class T17(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)

    def tearDown(self):
        self.lab.inside(self.lab.pod, "nft", "flush", "ruleset")

    def start(self, *prefix, **settings):
        """Runs the daemon to its own end: the exit code and the log's lines."""
        env = self.lab.settings(deny_all_but(), SALLYPORT_EVENTHUB_URL=None, SALLYPORT_AUDIT_FILE=self.lab.folder / "audit", **settings)
        result = run("ip", "netns", "exec", self.lab.pod, *prefix, binary("sallyport"), "run", env=env, check=False, timeout=20)
        return result.returncode, [json.loads(line) for line in result.stderr.splitlines()]

    def refused(self, *words, prefix=(), **settings):
        code, lines = self.start(*prefix, **settings)
        self.assertEqual(code, 3, lines)
        missing = [line["missing"] for line in lines if "missing" in line]
        for word in words:
            self.assertIn(word, " ".join(missing))
        self.assertNotIn("enforcing", [line.get("message", line.get("msg")) for line in lines])

    def nft(self, script):
        self.lab.inside(self.lab.pod, "nft", "-f", "-", input=script)

    def test_T17_without_net_admin(self):
        self.refused("CAP_NET_ADMIN", prefix=("setpriv", "--inh-caps=-net_admin", "--bounding-set=-net_admin"))

    def test_T17_a_mesh_on_nat_output_is_named(self):
        self.nft("""table ip nat {
            chain ISTIO_OUTPUT { tcp dport != 15020 redirect to :15001
            }
            chain OUTPUT { type nat hook output priority -100; policy accept;
                meta l4proto tcp jump ISTIO_OUTPUT
            }
        }
        """)
        self.refused("ip nat OUTPUT", "ISTIO_OUTPUT", "Istio")

    def test_T17_whoever_else_owns_nat_output_is_named(self):
        self.nft("""table inet agent {
            chain outgoing { type nat hook output priority -50; policy accept;
                tcp dport 443 redirect to :8443
            }
        }
        """)
        self.refused("inet agent outgoing")
        self.assertNotIn("sallyport", self.lab.inside(self.lab.pod, "nft", "list", "tables").stdout)

    def test_dockers_embedded_resolver_is_known(self):
        """The rules that Docker makes in a container of a network of its own."""
        self.nft("""table ip nat {
            chain DOCKER_OUTPUT {
                ip daddr 127.0.0.11 tcp dport 53 counter dnat to 127.0.0.11:40001
                ip daddr 127.0.0.11 udp dport 53 counter dnat to 127.0.0.11:40002
            }
            chain DOCKER_POSTROUTING {
                ip saddr 127.0.0.11 tcp sport 40001 counter snat to :53
            }
            chain OUTPUT { type nat hook output priority -100; policy accept;
                ip daddr 127.0.0.11 counter jump DOCKER_OUTPUT
            }
            chain POSTROUTING { type nat hook postrouting priority 100; policy accept;
                ip daddr 127.0.0.11 counter jump DOCKER_POSTROUTING
            }
        }
        """)
        process = self.lab.start_sidecar(deny_all_but(), SALLYPORT_EVENTHUB_URL=None, SALLYPORT_AUDIT_FILE=self.lab.folder / "audit")
        try:
            self.assertEqual(self.lab.api("GET", "/readyz")[0], 200)
            self.assertEqual(self.lab.connect("198.51.100.77", 7000)["result"], "refused")
        finally:
            process.kill()
            process.wait()


class Profile(LabCase):
    """C3: the ruleset of the AKS profile."""
    policy = deny_all_but(allow("registry.example.test"), allow("198.51.100.96/28", "7000"))
    settings = {"SALLYPORT_KERNEL_PROFILE": "aks-kata-6.6", "SALLYPORT_INGRESS": "8088,5000/udp"}
    # What AKS's Kata guest has, `dynset` as a part of nf_tables itself (net/netfilter/Makefile); `nft --debug=netlink` prints what the kernel holds.
    HAS = {"bitwise", "byteorder", "cmp", "counter", "dynset", "immediate", "lookup", "meta", "payload", "ct", "notrack", "redir"}

    def test_C3_the_kernel_holds_nothing_that_AKSs_guest_lacks(self):
        text = self.lab.inside(self.lab.pod, "nft", "--debug=netlink", "list", "ruleset").stdout
        used = {line.split()[1] for line in text.splitlines() if line.startswith("  [ ")}
        self.assertTrue(used and used <= self.HAS, used - self.HAS)
        self.lab.lookup("registry.example.test")
        self.assertEqual(self.lab.connect("198.51.100.10", 7000)["answer"], "x")
        self.assertEqual(self.lab.connect("198.51.100.97", 7000)["answer"], "x")
        self.assertRefused("198.51.100.77", 7000)
        self.arrived("FlowDenied", DstIpAddr="198.51.100.77")


if __name__ == "__main__":
    unittest.main()
