"""Answers of resolvers that lie: acceptance cases T8, T13, T14, G8, G17."""
import socket, struct, unittest

from scripted import ScriptedCase
from stage import allow, deny_all_but
from upstream import encoded, record, whole


class Lineage(ScriptedCase):
    policy = deny_all_but(allow("*.acme.test"), allow("www.acme.test.svc.cluster.local"), allow("cb.evil.test"), allow("ech.other.test"))

    def test_T8a_an_alias_chain_is_leased_to_the_name_that_was_asked_and_recorded(self):
        self.resolver(lambda q, _: [q.reply([record("www.acme.test", "CNAME", "e1.cdn.test"), record("e1.cdn.test", "A", "198.51.100.30")])])
        self.assertIn("198.51.100.30", self.lab.lookup("www.acme.test"))
        self.assertEqual(self.lab.connect("198.51.100.30", 7000)["result"], "connected")
        self.assertEqual(self.recorded(DnsQuery="www.acme.test", SbxRecordKind="DnsAllowed")[0]["DnsResponseName"], "e1.cdn.test;198.51.100.30")
        self.assertEqual(self.recorded(SbxRecordKind="FlowOpen", DstIpAddr="198.51.100.30")[0]["DstFQDN"], "www.acme.test")

    def test_T8b_the_target_of_an_alias_is_not_allowed_by_that(self):
        upstream = self.resolver(lambda q, _: [q.reply([record("a.acme.test", "CNAME", "e2.cdn.test"), record("e2.cdn.test", "A", "198.51.100.31")])])
        self.assertIn("198.51.100.31", self.lab.lookup("a.acme.test"))
        self.assertIn("blocked by policy: no rule allows e2.cdn.test", self.lab.lookup("e2.cdn.test"))
        self.assertNotIn("e2.cdn.test", upstream.names())

    def test_T8c_a_record_outside_the_lineage_spoils_the_answer_in_every_section(self):
        def script(q, _):
            good, stray = record(q.name, "A", "198.51.100.32"), record("victim.test", "A", "198.51.100.33")
            sections = {"answer": ([good, stray],), "authority": ([good], [stray]), "additional": ([good], [], [stray])}
            return [q.reply(*sections[q.name.split(".")[0]])]
        self.resolver(script)
        for section in ("answer", "authority", "additional"):
            self.assertFails(self.lab.lookup(f"{section}.acme.test"))
            self.recorded(DnsQuery=f"{section}.acme.test", EventOriginalResultDetails="INVALID_ANSWER")
        self.assertFalse(self.leased("198.51.100.32") or self.leased("198.51.100.33"))
        self.assertRefused("198.51.100.32", 7000)

    def test_T8d_loops_and_chains_without_end_fail(self):
        def script(q, _):
            if q.name.startswith("loop"):
                return [q.reply([record(q.name, "CNAME", "x.test"), record("x.test", "CNAME", q.name), record(q.name, "A", "198.51.100.34")])]
            chain = [record(q.name, "CNAME", "c0.test")] + [record(f"c{i}.test", "CNAME", f"c{i + 1}.test") for i in range(40)]
            return [q.reply([*chain, record("c40.test", "A", "198.51.100.34")])]
        self.resolver(script)
        for name in ("loop.acme.test", "deep.acme.test"):
            self.assertFails(self.lab.lookup(name, "+bufsize=4096"))
        self.assertFalse(self.leased("198.51.100.34"))

    def test_T8e_an_autopath_alias_out_of_the_search_list_works(self):
        self.resolver(lambda q, _: [q.reply([record(q.name, "CNAME", "www.acme.test"), record("www.acme.test", "A", "198.51.100.35")])])
        self.assertIn("198.51.100.35", self.lab.lookup("www.acme.test.svc.cluster.local"))
        self.assertEqual(self.lab.connect("198.51.100.35", 7000)["result"], "connected")

    def test_T13_G8_private_answers_are_withheld_with_the_address_on_record(self):
        addresses = ["127.0.0.1", "169.254.169.254", "168.63.129.16", "10.96.0.1", "100.64.0.1", "0.0.0.0",
                     "fd00::1", "fe80::1", "::1", "64:ff9b::a9fe:a9fe", "::ffff:10.0.0.5"]
        current = []
        self.resolver(lambda q, _: [q.reply([record(q.name, "AAAA" if ":" in a else "A", a) for a in current], code=0)])
        for number, address in enumerate(addresses):
            current[:] = [address]
            name = f"cb{number}.acme.test"
            answer = self.lab.lookup(name, "AAAA" if ":" in address else "A")
            self.assertFails(answer)
            self.assertIn(address, answer)
            self.assertEqual(self.recorded(DnsQuery=name, EventOriginalResultDetails="PRIVATE_ANSWER")[0]["DnsResponseName"], address)
        current[:] = ["198.51.100.40", "10.0.0.5"]
        self.assertFails(self.lab.lookup("cb.evil.test"))
        self.assertFalse(self.leased("198.51.100.40") or self.leased("10.0.0.5"))

    def test_T14_G17_service_bindings_lose_ech_and_hints_and_an_alias_mode_target_grants_nothing(self):
        service = struct.pack(">H", 1) + b"\0" + struct.pack(">HH", 1, 3) + b"\2h3" + struct.pack(">HHH", 3, 2, 8443)
        service += struct.pack(">HH", 4, 4) + socket.inet_aton("198.51.100.66") + struct.pack(">HH", 5, 4) + b"echo"
        alias = struct.pack(">H", 0) + encoded("pool.cdn.test")

        def script(q, _):
            if q.name == "ech.other.test":
                return [q.reply([record(q.name, "HTTPS", alias)], additional=[record("pool.cdn.test", "A", "198.51.100.67")])]
            return [q.reply([record(q.name, "HTTPS", service)])]
        upstream = self.resolver(script)
        answer = self.lab.lookup("ech.acme.test", "HTTPS")
        self.assertIn('1 . alpn="h3" port=8443', answer)
        self.assertNotIn("ech=", answer)
        self.assertNotIn("ipv4hint", answer)
        self.assertRefused("198.51.100.66", 8443)
        self.assertIn("0 pool.cdn.test.", self.lab.lookup("ech.other.test", "HTTPS"))
        self.assertRefused("198.51.100.67", 7000)
        self.assertIn("NXDOMAIN", self.lab.lookup("pool.cdn.test"))
        self.assertNotIn("pool.cdn.test", upstream.names())

    def test_queries_upstream_are_spelled_by_chance_and_a_forged_answer_is_not_believed(self):
        def script(q, over):
            true = q.reply([record(q.name, "A", "198.51.100.41")])
            if over == "tcp":
                return whole(true)
            forged = [record(q.name, "A", "198.51.100.99")]
            swapped = bytes(octet ^ 0x20 if chr(octet).isalpha() else octet for octet in q.octets[12:q.end - 4]) + q.octets[q.end - 4:q.end]
            wrong = bytes([q.octets[0] ^ 1]) + q.octets[1:2]
            return [q.reply(forged, question=swapped), q.reply(forged, identifier=wrong), b"\0", true]
        upstream = self.resolver(script)
        for number in range(20):
            answer = self.lab.lookup(f"spelling{number}.acme.test")
            self.assertIn("198.51.100.41", answer)
            self.assertNotIn("198.51.100.99", answer)
        spellings = {q.spelling.split(".", 1)[1] for q, over in upstream.seen if over == "udp"}
        self.assertGreater(len(spellings), 10)
        self.assertFalse(self.leased("198.51.100.99"))

    def test_a_resolver_that_does_not_keep_case_is_asked_by_tcp(self):
        def script(q, over):
            lowered = encoded(q.name) + q.octets[q.end - 4:q.end]
            reply = q.reply([record(q.name, "A", "198.51.100.42")], question=lowered)
            return whole(reply) if over == "tcp" else [reply]
        self.resolver(script)
        answer = self.lab.lookup("a-name-with-many-letters.acme.test")
        self.assertIn("198.51.100.42", answer)

    def test_negative_answers_are_kept_by_the_word_of_their_zone(self):
        def script(q, _):
            soa = [record("acme.test", "SOA", 60, ttl=900)] if q.name.startswith("kept") else []
            return [q.reply(authority=soa, code=3)]
        upstream = self.resolver(script)
        for name in ("kept.acme.test", "unkept.acme.test"):
            for _ in range(3):
                self.assertIn("NXDOMAIN", self.lab.lookup(name))
        self.assertEqual(upstream.names().count("kept.acme.test"), 1)
        self.assertEqual(upstream.names().count("unkept.acme.test"), 3)
        self.assertRegex(self.lab.lookup("kept.acme.test"), r"acme\.test\.\s+[1-6]?[0-9]\s+IN\s+SOA")

    def test_repeated_names_cost_no_traffic_upstream(self):
        upstream = self.resolver(lambda q, _: [q.reply([record(q.name, "A", "198.51.100.43", ttl=300)])])
        for _ in range(20):
            self.assertIn("198.51.100.43", self.lab.lookup("repeated.acme.test"))
        self.assertEqual(upstream.names().count("repeated.acme.test"), 1)


del ScriptedCase


if __name__ == "__main__":
    unittest.main()
