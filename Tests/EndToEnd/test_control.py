"""The control API (contract §4): statuses, bodies, limits."""
import json, re, unittest

from stage import API_TOKEN, Flow, LabCase, allow, deny_all_but


class Control(LabCase):
    policy = deny_all_but(allow("registry.example.test", "443/tcp"))

    def setUp(self):
        status, _, _ = self.lab.api("PUT", "/policy", self.policy)
        self.assertEqual(status, 200)

    def shown(self):
        status, answer, _ = self.lab.api("GET", "/policy")
        self.assertEqual(status, 200)
        return answer["policy"]

    def refused(self, method, path, body, status, *words, **options):
        got, answer, headers = self.lab.api(method, path, body, **options)
        self.assertEqual(got, status, answer)
        for word in words:
            self.assertIn(word, answer if isinstance(answer, str) else json.dumps(answer))
        return headers

    def test_get_shows_the_policy_in_force(self):
        status, answer, headers = self.lab.api("GET", "/policy")
        self.assertEqual((status, answer["status"]), (200, "ok"))
        self.assertEqual(answer["policy"]["defaultAction"], "deny")
        self.assertEqual(answer["policy"]["egress"], [{"action": "allow", "target": "registry.example.test", "ports": ["443/tcp"]}])
        self.assertIn("mode", answer)
        self.assertIn("enforcementMode", answer)
        self.assertIn("ETag", headers)

    def test_put_and_post_replace(self):
        for method in ("POST", "PUT"):
            policy = deny_all_but(allow(f"{method.lower()}.example.test"))
            status, answer, _ = self.lab.api(method, "/policy", policy)
            self.assertEqual((status, answer["status"]), (200, "ok"))
            self.assertEqual(self.shown()["egress"], policy["egress"])

    def test_an_empty_body_denies_all(self):
        for body in ("", "{}", "null"):
            self.lab.api("PUT", "/policy", self.policy)
            self.assertEqual(self.lab.api("POST", "/policy", body)[0], 200, body)
            self.assertEqual(self.shown(), {"defaultAction": "deny", "egress": []})

    def test_patch_merges_in_front_and_delete_removes(self):
        self.assertEqual(self.lab.api("PATCH", "/policy", [allow("a.test"), {"action": "deny", "target": "b.test"}, allow("a.test", "1")])[0], 200)
        self.assertEqual([(r["action"], r["target"]) for r in self.shown()["egress"]], [("allow", "a.test"), ("deny", "b.test"), ("allow", "registry.example.test")])
        self.assertEqual(self.lab.api("DELETE", "/policy", ["a.test", "unknown.test", "B.TEST"])[0], 200)
        self.assertEqual([r["target"] for r in self.shown()["egress"]], ["registry.example.test"])

    def test_credentials_come_before_the_method(self):
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
            for token in (None, "", "wrong", API_TOKEN + "x", API_TOKEN[:-1]):
                self.refused(method, "/policy", None, 401, token=token)
        self.refused("OPTIONS", "/policy", None, 405)

    def test_both_forms_of_the_credential_are_taken(self):
        for headers in ({"Authorization": f"Bearer {API_TOKEN}"}, {"OPENSANDBOX-EGRESS-AUTH": API_TOKEN}, {"opensandbox-egress-auth": API_TOKEN}):
            self.assertEqual(self.lab.api("GET", "/policy", token=None, headers=headers)[0], 200, headers)
        self.assertEqual(self.lab.api("GET", "/policy", token=None, headers={"Authorization": f"Basic {API_TOKEN}"})[0], 401)

    def test_without_credentials_only_health_readiness_and_metrics_answer(self):
        self.assertEqual(self.lab.api("GET", "/healthz", token=None)[:2], (200, "ok"))
        self.assertEqual(self.lab.api("GET", "/readyz", token=None)[0], 200)
        status, text, headers = self.lab.api("GET", "/metrics", token=None)
        self.assertEqual(status, 200)
        self.assertIn("text/plain", headers["Content-Type"])
        self.assertRegex(text, r"(?m)^sallyport_policy_rules 1$")
        for path in ("/flows", "/audit", "/owner", "/policy/explain?target=a.test"):
            self.assertEqual(self.lab.api("GET", path, token=None)[0], 401, path)

    def test_a_method_that_a_path_does_not_have_is_405_with_the_ones_it_has(self):
        headers = self.refused("TRACE", "/policy", None, 405)
        self.assertEqual({m.strip() for m in headers["Allow"].split(",")} - {"HEAD"}, {"GET", "POST", "PUT", "PATCH", "DELETE"})
        self.assertIn("Allow", self.refused("POST", "/flows", None, 405))
        self.refused("GET", "/nothing", None, 404)

    def test_bad_documents_are_400_with_the_path_of_what_is_wrong(self):
        before = self.shown()
        for method, body, word in (
            ("POST", {"defaultAction": "block"}, "$.defaultAction"),
            ("POST", {"egress": [allow("ok.test"), allow("a*b.com")]}, "$.egress[1].target"),
            ("POST", {"egress": [allow("ok.test", "70000")]}, "$.egress[0].ports[0]"),
            ("POST", {"egress": [{"action": "allow", "target": "ok.test", "ports": []}]}, "$.egress[0].ports"),
            ("POST", {"egres": []}, "egres"),
            ("POST", '{"egress":[],"egress":[]}', "egress"),
            ("POST", {"egress": [{"action": "permit", "target": "ok.test"}]}, "$.egress[0].action"),
            ("PATCH", [allow("*.com")], "$[0].target"),
            ("PATCH", [allow("*")], "$[0]"),
            ("PATCH", [], "empty"),
            ("PATCH", {"egress": []}, "object"),
            ("PATCH", "[{", ""),
            ("DELETE", [], "empty"),
            ("DELETE", [1], "$[0]"),
            ("PUT", "[" * 10_000, ""),
        ):
            with self.subTest(method=method, body=str(body)[:60]):
                self.refused(method, "/policy", body, 400, word)
        self.assertEqual(self.shown(), before)

    def test_errors_are_problem_json_for_those_who_accept_it(self):
        status, answer, headers = self.lab.api("POST", "/policy", {"defaultAction": "block"}, headers={"Accept": "application/problem+json"})
        self.assertEqual((status, answer["status"]), (400, 400))
        self.assertIn("application/problem+json", headers["Content-Type"])
        self.assertIn("$.defaultAction", json.dumps(answer))

    def test_a_change_is_made_only_for_the_revision_that_was_read(self):
        tag = self.lab.api("GET", "/policy")[2]["ETag"]
        self.assertEqual(self.lab.api("PATCH", "/policy", [allow("one.test")], headers={"If-Match": tag})[0], 200)
        self.refused("PATCH", "/policy", [allow("two.test")], 412, headers={"If-Match": tag})
        self.assertNotIn("two.test", json.dumps(self.shown()))

    def test_a_rehearsal_changes_nothing_and_tells_what_would(self):
        self.assertFetches("https://registry.example.test/")
        before = self.lab.api("GET", "/policy")
        status, answer, _ = self.lab.api("DELETE", "/policy?dryRun=true", ["registry.example.test"])
        self.assertEqual(status, 200)
        self.assertIn("registry.example.test", json.dumps(answer))
        after = self.lab.api("GET", "/policy")
        self.assertEqual((before[1], before[2]["ETag"]), (after[1], after[2]["ETag"]))

    def test_more_rules_than_the_limit_are_refused_whole(self):
        self.refused("PUT", "/policy", deny_all_but(*(allow(f"n{i}.test") for i in range(4097))), 413)
        self.assertEqual(len(self.shown()["egress"]), 1)
        self.assertEqual(self.lab.api("PUT", "/policy", deny_all_but(*(allow(f"n{i}.test") for i in range(4096))))[0], 200)

    def test_a_body_over_8_mib_is_413(self):
        head = f"POST /policy HTTP/1.1\r\nHost: x\r\nOPENSANDBOX-EGRESS-AUTH: {API_TOKEN}\r\n"
        announced = self.lab.exchange(f"{head}Content-Length: {(8 << 20) + 1}\r\n\r\n".encode())
        self.assertTrue(announced.startswith(b"HTTP/1.1 413 "), announced[:200])
        chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
        streamed = self.lab.exchange(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunk * 9)
        self.assertTrue(streamed.startswith(b"HTTP/1.1 413 ") or streamed == b"", streamed[:200])

    def test_headers_over_16_kib_are_431_and_nonsense_is_400(self):
        for octets, status in (
            (b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 17000 + b"\r\n\r\n", 431),
            (b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"X: a\r\n" * 4000 + b"\r\n", 431),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
            (b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
            (b"POST /policy HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
            (b"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n", 505),
        ):
            with self.subTest(octets=octets[:40]):
                answer = self.lab.exchange(octets)
                self.assertTrue(answer.startswith(f"HTTP/1.1 {status} ".encode()), answer[:100])
        self.assertIsNone(self.sidecar.poll())

    def test_requests_in_a_row_on_one_connection_are_answered_in_order(self):
        octets = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 3 + b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        answer = self.lab.exchange(octets)
        self.assertEqual(re.findall(rb"HTTP/1.1 (\d+) ", answer), [b"200", b"200", b"200", b"404"])

    def test_explain_tells_the_decision_and_why(self):
        for target, allowed in (("registry.example.test", True), ("files.example.test", False)):
            status, answer, _ = self.lab.api("GET", f"/policy/explain?target={target}&port=443&protocol=tcp")
            self.assertEqual(status, 200)
            self.assertIn("allow" if allowed else "den", json.dumps(answer))
        self.refused("GET", "/policy/explain", None, 400)
        self.refused("GET", "/policy/explain?target=a*b", None, 400)

    def test_flows_audit_and_owner_are_shown(self):
        self.lab.api("PATCH", "/policy", [allow("many.example.test")])
        flow = Flow(self.lab, "many.example.test", "echo")
        status, answer, _ = self.lab.api("GET", "/flows")
        self.assertEqual(status, 200)
        self.assertIn("many.example.test", json.dumps(answer))
        self.assertIsNone(flow.stop()["error"])
        status, answer, _ = self.lab.api("GET", "/audit")
        self.assertEqual(status, 200)
        status, answer, _ = self.lab.api("GET", "/owner")
        self.assertEqual(status, 200)
        self.assertIn("6f1a2b3c-4d5e-4f60-8a7b-9c0d1e2f3a4b", json.dumps(answer))


class WithoutToken(LabCase):
    policy = deny_all_but(allow("registry.example.test"))
    settings = {"SALLYPORT_API_TOKEN": None}

    def test_without_a_token_reads_are_open_and_changes_are_403_with_the_reason(self):
        self.assertEqual(self.lab.api("GET", "/policy", token=None)[0], 200)
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            status, answer, _ = self.lab.api(method, "/policy", [allow("a.test")], token="anything")
            self.assertEqual(status, 403)
            self.assertIn("SALLYPORT_API_TOKEN", answer)
        self.assertEqual(len(self.lab.api("GET", "/policy", token=None)[1]["policy"]["egress"]), 1)


if __name__ == "__main__":
    unittest.main()
