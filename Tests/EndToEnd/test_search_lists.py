"""What C libraries ask for: acceptance cases T9, T12."""
import re, unittest

from scripted import RestartCase
from stage import RESOLVER, allow, deny_all_but, run, wait_for


class Families(RestartCase):
    """T12: A and AAAA of one name live each by their own TTL."""
    policy = deny_all_but(allow("dual.example.test"), allow("api.example.test"), allow("many.example.test"))
    zone = "dual.example 300 A 198.51.100.10\ndual.example 1 AAAA 2001:db8::10\n"
    settings = {"SALLYPORT_LEASE_MIN": "1s", "SALLYPORT_LEASE_GRACE": "1s"}

    def test_T12_each_family_keeps_its_own_lease(self):
        self.assertIn("2001:db8::10", self.lab.lookup("dual.example.test", "AAAA"))
        self.assertIn("198.51.100.10", self.lab.lookup("dual.example.test"))
        self.assertTrue(self.leased("198.51.100.10") and self.leased("2001:db8::10"))
        wait_for("the lease of IPv6 ends", lambda: not self.leased("2001:db8::10"))
        self.assertIn("198.51.100.10", self.lab.lookup("dual.example.test"))
        self.assertTrue(self.leased("198.51.100.10"))
        self.assertFalse(self.leased("2001:db8::10"), "an answer with A does nothing for AAAA")
        self.assertEqual(self.lab.connect("198.51.100.10", 7000)["result"], "connected")
        self.assertRefused("2001:db8::10", 7000)

    def test_T12_addresses_in_other_clothes_are_refused_and_neighbours_are_found(self):
        for address in ("2001:db8::99", "::ffff:198.51.100.99", "64:ff9b::c633:6463"):
            self.assertNotEqual(self.lab.connect(address, 443)["result"], "connected", address)
        self.assertIn("2001:db8::70", self.lab.lookup("api.example.test", "AAAA"))
        self.lab.inside(self.lab.pod, "ip", "-6", "neigh", "flush", "dev", "eth0")
        self.assertEqual(self.lab.connect("2001:db8::70", 443, payload="")["result"], "connected")

    def test_no_ttl_is_longer_than_the_lease(self):
        self.restart(SALLYPORT_LEASE_MAX="10s")
        self.addCleanup(self.restart)
        ttl = int(re.search(r"many\.example\.test\.\s+(\d+)\s+IN\s+A", self.lab.lookup("many.example.test"))[1])
        self.assertLessEqual(ttl, 11)
        self.assertGreater(ttl, 0)


class Search(RestartCase):
    """T9: search lists, as the C libraries walk them."""
    policy = deny_all_but(allow("api.example.test"), allow("registry.example.test"))

    @classmethod
    def prepare(cls):
        resolv = cls.lab.folder / "resolv.conf"
        resolv.write_text(f"nameserver {RESOLVER}\nsearch ns.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n")
        source = cls.lab.folder / "resolve.c"
        source.write_text(RESOLVE)
        for compiler, name in (("musl-gcc", "resolve-musl"), ("gcc", "resolve-glibc")):
            run(compiler, "-o", cls.lab.folder / name, source)

    def resolve(self, library, name):
        """getaddrinfo of this C library, with the pod's resolv.conf."""
        f = self.lab.folder
        return self.lab.inside(self.lab.pod, "unshare", "-m", "sh", "-c",
                               f"mount --bind {f}/resolv.conf /etc/resolv.conf && exec setpriv --reuid=1000 --regid=1000 --clear-groups "
                               f"--inh-caps=-all --bounding-set=-all --no-new-privs {f}/resolve-{library} {name}", check=False).stdout.split()

    def test_T9_denied_names_of_the_search_list_lead_on_to_the_allowed_one(self):
        for library in ("glibc", "musl"):
            with self.subTest(library):
                self.assertEqual(sorted(self.resolve(library, "api.example.test")), ["198.51.100.70", "2001:db8::70"])

    def test_T9_a_name_with_one_family_resolves_and_its_other_is_no_data(self):
        # `api` has both; this one of the lab's zone has IPv4 only.
        self.lab.api("PATCH", "/policy", [{"action": "allow", "target": "many.example.test"}])
        for library in ("glibc", "musl"):
            with self.subTest(library):
                self.assertEqual(self.resolve(library, "many.example.test"), ["198.51.100.50"])
        answer = self.lab.lookup("many.example.test", "AAAA")
        self.assertIn("status: NOERROR", answer)
        self.assertIn("ANSWER: 0", answer)

    def test_T9_a_denied_name_is_not_found_and_may_be_refused_instead(self):
        self.assertEqual(self.resolve("musl", "files.example.test"), ["error"])
        self.restart(SALLYPORT_DNS_DENY_CODE="refused")
        self.addCleanup(self.restart)
        answer = self.lab.lookup("files.example.test")
        self.assertIn("status: REFUSED", answer)
        self.assertIn("blocked by policy: no rule allows files.example.test", answer)
        # Why it is not the default: musl gives up at the first refused name of the search list.
        self.assertEqual(self.resolve("musl", "api.example.test"), ["error"])


del RestartCase


RESOLVE = r"""
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
int main(int argc, char **argv) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list, *one;
  if (argc < 2 || getaddrinfo(argv[1], 0, &hints, &list) != 0) { puts("error"); return 1; }
  for (one = list; one; one = one->ai_next) {
    char text[64];
    const void *at = one->ai_family == AF_INET ? (void *)&((struct sockaddr_in *)one->ai_addr)->sin_addr
                                               : (void *)&((struct sockaddr_in6 *)one->ai_addr)->sin6_addr;
    puts(inet_ntop(one->ai_family, at, text, sizeof text));
  }
  return 0;
}
"""


if __name__ == "__main__":
    unittest.main()
