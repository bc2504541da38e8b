"""The owner (contract §4): unbound, bound once by a signed token, the owner's until the pod ends. Tokens are made by PyJWT."""
import concurrent.futures, json, os, pathlib, subprocess, time, unittest

from stage import API_TOKEN, HUB_BEARER, OWNER_OBJECT, OWNER_TENANT, Lab, LabCase, allow, binary, deny_all_but, run, wait_for
from lab import HUB_ADDRESS
from owners import ISSUER, OTHER_OBJECT, POD_UID, Issuer, Volume, encode

OTHER_POD = "7d1c5a90-3f1e-4b7a-9a53-2f0f6f0f3d7a"


class OwnerCase(LabCase):
    """A lab for all tests of a class, and a sandbox without owner for each test."""
    policy = deny_all_but(allow("registry.example.test"), allow("198.51.100.50"))

    @classmethod
    def setUpClass(cls):
        cls.issuer = Issuer()
        cls.addClassCleanup(cls.issuer.close)
        cls.issuer.key("rsa")
        cls.issuer.key("ec", "ec:P-256")
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.hub = cls.lab.start_hub()

    def setUp(self):
        name = self._testMethodName[:40]
        self.keys = Volume(self.lab.folder / f"keys-{name}").write(jwks__json=self.issuer.jwks("rsa", "ec"))
        self.pod = Volume(self.lab.folder / f"pod-{name}")
        self.state = self.lab.folder / f"state-{name}"
        self.seen = {r["EventOriginalUid"] for r in self.lab.records()}
        self.sidecar = None
        self.addCleanup(self.end)

    def end(self):
        if self.sidecar and self.sidecar.poll() is None:
            self.sidecar.kill()
            self.sidecar.wait()
        self.lab.inside(self.lab.pod, "nft", "delete", "table", "inet", "sallyport", check=False)

    def begin(self, **changes):
        settings = {"SALLYPORT_OWNER": None, "SALLYPORT_STATE_DIR": self.state, "POD_UID": POD_UID, "SALLYPORT_OWNER_ISSUER": ISSUER,
                    "SALLYPORT_OWNER_JWKS_FILE": self.keys.path / "jwks.json", **changes}
        self.sidecar = self.lab.start_sidecar(self.policy, **settings)

    def begin_with_annotation(self, **changes):
        self.begin(SALLYPORT_OWNER_TOKEN_FILE=self.pod.path / "annotations", **changes)

    def annotate(self, token, **more):
        lines = {"kubernetes.io/config.seen": "2026-11-25T10:00:00Z", **more}
        if token is not None:
            lines["sallyport.dev/owner-token"] = token
        self.pod.write(annotations="".join(f"{key}={json.dumps(value)}\n" for key, value in sorted(lines.items())))

    def put(self, token, api_token=API_TOKEN):
        return self.lab.api("PUT", "/owner", {"token": token}, token=api_token)

    def assertBinds(self, token):
        status, answer, _ = self.put(token)
        self.assertEqual((status, answer["state"] if status == 200 else answer), (200, "bound"), self.lab.log()[-1500:])
        return answer

    def assertUnproved(self, token, check):
        status, answer, headers = self.put(token)
        self.assertEqual(status, 401, answer)
        self.assertTrue(answer.startswith(f"{check}: "), answer)
        self.assertIn("WWW-Authenticate", headers)

    def owner(self):
        status, answer, _ = self.lab.api("GET", "/owner")
        self.assertEqual(status, 200)
        return answer

    def fresh(self, kind=None, **fields):
        """The records of this test."""
        return [r for r in self.lab.records(kind, **fields) if r["EventOriginalUid"] not in self.seen]

    def recorded(self, kind, count=1, **fields):
        return wait_for(f"{count} records {kind} with {fields}", lambda: (found := self.fresh(kind, **fields)) and len(found) >= count and found, 15)

    def bound_by_annotation(self):
        wait_for("the annotation binds", lambda: self.owner()["state"] == "bound")

    def assertOpen(self):
        self.assertEqual(self.lab.fetch("https://registry.example.test/")[0], 0, self.lab.log()[-1500:])

    def assertClosed(self):
        answer = self.lab.lookup("registry.example.test", "+ednsopt=65001")
        self.assertIn("NXDOMAIN", answer)
        self.assertRegex(answer, "EDE: 15 .*nobody owns this sandbox")
        self.assertRefused("198.51.100.50", 443)


class Token(OwnerCase):
    def test_owner_T16_unbound_traffic_is_denied_and_recorded_and_stays_nobodys(self):
        self.begin()
        self.assertEqual(self.owner(), {"state": "unbound", "required": True})
        self.assertClosed()
        self.assertEqual(self.lab.api("GET", "/readyz", token=None)[0], 200)
        denied = self.recorded("FlowDenied", EventOriginalResultDetails="OWNER_UNBOUND", DstIpAddr="198.51.100.50")[0]
        self.assertEqual((denied["SbxOwnerState"], denied["EventSeverity"]), ("unbound", "Medium"))
        self.recorded("DnsDenied", DnsQuery="registry.example.test")
        self.assertBinds(self.issuer.token(session_id="session-7", claim_uid="claim-9"))
        self.assertOpen()
        opened = self.recorded("FlowOpen", DstFQDN="registry.example.test")[0]
        self.assertEqual((opened["SrcUserAadId"], opened["SrcUserScopeId"], opened["SbxSessionId"], opened["SbxClaimUid"], opened["SbxOwnerSource"]),
                         (OWNER_OBJECT, OWNER_TENANT, "session-7", "claim-9", "token"))
        self.recorded("OwnerChange", Operation="OwnerBind", EventResult="Success", SrcUserAadId=OWNER_OBJECT)
        for record in self.fresh():
            if record.get("EventOriginalResultDetails") == "OWNER_UNBOUND":
                self.assertNotIn("SrcUserAadId", record)
        self.assertEqual(self.metric("owner_bound"), 1)
        self.assertComplete()

    def test_both_algorithms_of_an_independent_library_bind(self):
        for name in ("rsa", "ec"):
            with self.subTest(name):
                self.begin(SALLYPORT_STATE_DIR=f"{self.state}-{name}")
                answer = self.assertBinds(self.issuer.token(name=name, jti="binding-1", aud=["other", "egress-sidecar"]))
                self.assertEqual((answer["tenantId"], answer["objectId"], answer["bindingId"], answer["source"]),
                                 (OWNER_TENANT, OWNER_OBJECT, "binding-1", "token"))
                self.end()

    def test_every_claim_check_has_its_name_its_record_and_no_effect(self):
        self.begin()
        now = int(time.time())
        cases = [({"iss": "https://other.example"}, "ISSUER_WRONG"), ({"aud": "other"}, "AUDIENCE_WRONG"), ({"pod_uid": OTHER_POD}, "POD_WRONG"),
                 ({"sub": "someone@example.com"}, "SUBJECT_MALFORMED"), ({"sub": OWNER_OBJECT}, "SUBJECT_MALFORMED"), ({"jti": None}, "CLAIM_MISSING"),
                 ({"pod_uid": None}, "CLAIM_MISSING"), ({"exp": None}, "CLAIM_MISSING"), ({"iat": None}, "CLAIM_MISSING"), ({"iss": None}, "CLAIM_MISSING"),
                 ({"session_id": 7}, "CLAIM_MALFORMED"), ({"nbf": now + 600}, "TOKEN_NOT_YET_VALID"), ({"policy_sha256": "0" * 64}, "POLICY_MISMATCH")]
        for changes, check in cases:
            with self.subTest(changes=changes):
                self.assertUnproved(self.issuer.token(**changes), check)
        counts = {check: sum(c == check for _, c in cases) for _, check in cases}
        for check, count in counts.items():
            for record in self.recorded("OwnerChange", count, EventOriginalResultDetails=check):
                self.assertEqual((record["Operation"], record["EventResult"], record["SbxOwnerState"]), ("OwnerProofRefused", "Failure", "unbound"))
                self.assertNotIn("SrcUserAadId", record)
        self.assertEqual(self.owner()["state"], "unbound")
        self.assertEqual(self.metric("owner_proofs_refused_total"), len(cases))
        self.assertClosed()

    def test_owner_T6_forged_tokens_are_refused_by_name(self):
        self.begin()
        claims = self.issuer.claims()
        public = run("openssl", "pkey", "-pubout", input=self.issuer.key("rsa")).stdout
        good = self.issuer.sign(claims)
        header, payload, signature = good.split(".")

        def hmac(key):
            # PyJWT itself refuses to sign by HMAC with a public key: by hand.
            import hashlib, hmac as mac
            message = f"{encode({'alg': 'HS256', 'kid': 'rsa'})}.{payload}"
            return f"{message}.{encode(mac.new(key, message.encode(), hashlib.sha256).digest())}"
        self.issuer.key("stranger")
        self.issuer.key("short", "rsa:1024")
        self.keys.write(jwks__json=self.issuer.jwks("rsa", "ec", "short"))
        wait_for("the keys are read again", lambda: "keys that may sign an owner changed" in self.lab.log())
        for token, check in (
            (self.issuer.sign(claims, algorithm="none", key=""), "ALGORITHM_REFUSED"),
            (f"{encode({'alg': 'none', 'kid': 'rsa'})}.{payload}.{signature}", "ALGORITHM_REFUSED"),
            (hmac(public.encode()), "ALGORITHM_REFUSED"),
            (self.issuer.sign(claims, "rsa", "RS512"), "ALGORITHM_REFUSED"), (self.issuer.sign(claims, "rsa", "PS256"), "ALGORITHM_REFUSED"),
            (self.issuer.sign(claims, headers={"kid": "../../../../etc/passwd"}), "KEY_UNKNOWN"),
            (self.issuer.sign(claims, headers={"kid": "https://evil.test/jwks"}), "KEY_UNKNOWN"),
            (self.issuer.sign(claims, headers={"kid": "rsa", "crit": ["exp"]}), "CRITICAL_HEADER"),
            (self.issuer.sign(claims, "stranger"), "KEY_UNKNOWN"),
            (self.issuer.sign(claims, "stranger", headers={"kid": "rsa", "jwk": json.loads(self.issuer.jwks("stranger"))["keys"][0]}), "SIGNATURE_INVALID"),
            (self.issuer.sign(claims, "short"), "KEY_UNUSABLE"),
            (f"{header}.{encode({**claims, 'sub': f'{OWNER_TENANT}/{OTHER_OBJECT}'})}.{signature}", "SIGNATURE_INVALID"),
            (f"{header}.{payload}.{signature[:-2]}", "SIGNATURE_INVALID"),
            (f"{header}.{payload}.{encode(bytes(256))}", "SIGNATURE_INVALID"),
            (self.issuer.sign(self.issuer.claims(pad="x" * 13_000)), "TOKEN_OVERSIZE"),
            (f"{header}.{payload}.{signature}=", "TOKEN_MALFORMED"), ("", None), ("a.b", "TOKEN_MALFORMED"), ("😀", "TOKEN_MALFORMED"),
        ):
            with self.subTest(check=check, token=token[:40]):
                if check is None:
                    self.assertEqual(self.put(token)[0], 400)
                else:
                    self.assertUnproved(token, check)
        repeated = f'{{"sub":"{OWNER_TENANT}/{OTHER_OBJECT}",' + json.dumps(claims)[1:]
        message = f"{header}.{encode(repeated.encode())}"
        (self.lab.folder / "rsa.pem").write_text(self.issuer.key("rsa"))
        signed = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.lab.folder / "rsa.pem"], input=message.encode(), capture_output=True, check=True).stdout
        self.assertUnproved(f"{message}.{encode(signed)}", "CLAIM_REPEATED")
        self.assertEqual(self.put("x" * 40_000)[0], 413)
        self.assertEqual(self.owner()["state"], "unbound")
        self.assertIsNone(self.sidecar.poll())
        self.assertBinds(good)

    def test_owner_T7_a_minute_of_skew_and_no_more(self):
        self.begin()
        now = int(time.time())
        self.assertUnproved(self.issuer.token(exp=now - 65), "TOKEN_EXPIRED")
        self.assertUnproved(self.issuer.token(iat=now + 90, exp=now + 300), "TOKEN_NOT_YET_VALID")
        self.assertBinds(self.issuer.token(iat=now + 30, exp=now - 30))

    def test_owner_T5_a_second_owner_is_409_for_ever(self):
        self.begin()
        first = self.issuer.token()
        self.assertBinds(first)
        for token in (self.issuer.token(OTHER_OBJECT), self.issuer.token(OTHER_OBJECT, name="ec"), self.issuer.token(session_id="another")):
            status, answer, _ = self.put(token)
            self.assertEqual(status, 409, answer)
        refused = self.recorded("OwnerChange", 3, Operation="OwnerRebindRefused")
        self.assertEqual({r["SrcUserAadId"] for r in refused}, {OWNER_OBJECT})
        self.assertEqual({r["NewValue"] for r in refused}, {f"{OWNER_TENANT}/{OTHER_OBJECT}", f"{OWNER_TENANT}/{OWNER_OBJECT}"})
        self.assertEqual(self.metric("owner_rebinds_refused_total"), 3)
        self.assertEqual(self.owner()["objectId"], OWNER_OBJECT)
        self.assertBinds(first)
        self.assertBinds(self.issuer.token())

    def test_owner_T8_of_two_that_race_one_wins(self):
        self.begin()
        tokens = [self.issuer.token(f"00000000-0000-4000-8000-{index:012x}") for index in range(8)]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(self.put, tokens))
        self.assertEqual(sorted(status for status, _, _ in answers), [200] + [409] * 7)
        winner, = [answer for status, answer, _ in answers if status == 200]
        self.assertEqual(self.owner()["objectId"], winner["objectId"])
        self.assertEqual(len(self.recorded("OwnerChange", Operation="OwnerBind")), 1)

    def test_owner_T4_the_same_token_after_a_restart_is_the_same_binding(self):
        self.begin()
        token = self.issuer.token(exp=int(time.time()) - 58, jti="one", session_id="s-1")
        self.assertBinds(token)
        self.sidecar.kill()
        self.sidecar.wait()
        wait_for("the token's time is over", lambda: int(time.time()) >= self.expiry(token) + 61, 10)
        self.begin()
        before = self.owner()
        self.assertEqual((before["state"], before["bindingId"], before["sessionId"]), ("bound", "one", "s-1"))
        self.assertOpen()
        self.assertBinds(token)
        self.assertUnproved(self.issuer.token(exp=int(time.time()) - 65), "TOKEN_EXPIRED")
        self.assertEqual(self.put(self.issuer.token(OTHER_OBJECT))[0], 409)
        self.recorded("OwnerChange", Operation="OwnerRestore", SrcUserAadId=OWNER_OBJECT)
        self.assertEqual(len(self.fresh("OwnerChange", Operation="OwnerBind")), 1)
        kept = (self.state / "owner.json").read_text()
        self.assertNotIn(token.split(".")[2], kept)
        self.assertNotIn(token.split(".")[2], self.lab.log())

    def expiry(self, token):
        import base64
        part = token.split(".")[1]
        return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["exp"]

    def test_owner_T3_an_old_pods_token_and_binding_are_void_in_a_new_pod_of_the_same_name(self):
        self.begin()
        token = self.issuer.token()
        self.assertBinds(token)
        self.end()
        self.begin(POD_UID=OTHER_POD)
        self.assertEqual(self.owner()["state"], "unbound")
        self.assertUnproved(token, "POD_WRONG")
        self.assertClosed()
        self.recorded("OwnerChange", EventOriginalResultDetails="POD_WRONG", DvcId=OTHER_POD)

    def test_owner_T17_a_resumed_pod_has_another_uid_and_must_be_bound_again(self):
        self.begin()
        self.assertBinds(self.issuer.token())
        self.sidecar.terminate()
        self.sidecar.wait(15)
        self.begin(POD_UID=OTHER_POD)
        self.assertClosed()
        self.assertBinds(self.issuer.token(OTHER_OBJECT, pod_uid=OTHER_POD))
        self.assertOpen()
        self.assertEqual({r.get("SrcUserAadId") for r in self.recorded("FlowOpen", DvcId=OTHER_POD, DstFQDN="registry.example.test")}, {OTHER_OBJECT})

    def test_owner_T10_the_workload_cannot_bind_its_sandbox(self):
        self.begin()
        token = self.issuer.token()
        for address in ("10.77.0.2", "127.0.0.1"):
            self.assertRefused(address, 18080)
        self.assertEqual(self.put(token, api_token=None)[0], 401)
        self.assertEqual(self.put(token, api_token="guess")[0], 401)
        self.assertEqual(self.owner()["state"], "unbound")
        self.assertEqual(self.fresh("OwnerChange"), [])

    def test_owner_T1_the_workload_cannot_write_what_binds(self):
        self.annotate(None)
        self.begin_with_annotation()
        for path in (self.pod.path / "annotations", self.pod.path / "..data", self.keys.path / "jwks.json", self.state / "owner.json"):
            result = self.lab.workload("sh", "-c", f"echo x > {path}; ln -sfn /tmp {path}")
            self.assertNotEqual(result.returncode, 0, path)
        self.assertNotEqual(self.lab.workload("ls", self.state).returncode, 0)
        self.assertEqual(self.owner()["state"], "unbound")

    def test_owner_T11_the_metadata_service_is_out_of_reach_with_and_without_owner(self):
        self.begin()
        self.assertRefused("169.254.169.254", 80)
        self.assertBinds(self.issuer.token())
        self.assertRefused("169.254.169.254", 80)
        self.assertRefused("168.63.129.16", 80)

    def test_owner_T12_the_workload_cannot_send_events_to_the_hub(self):
        self.begin()
        self.assertBinds(self.issuer.token())
        self.assertOpen()
        self.assertRefused(HUB_ADDRESS, 443)
        self.assertUnresolved("https://hub.servicebus.test/")
        self.assertNotEqual(self.lab.workload("cat", self.lab.folder / "state" / "hub.token").returncode, 0)

    def test_a_token_for_a_policy_binds_only_while_that_policy_is_in_force(self):
        self.begin()
        wanted = self.lab.folder / "wanted.json"
        wanted.write_text(json.dumps(deny_all_but(allow("registry.example.test", "443/tcp"))))
        (self.lab.folder / "rsa.pem").write_text(self.issuer.key("rsa"))
        token = run(binary("sallyport"), "owner", "sign", "--key", self.lab.folder / "rsa.pem", "--subject", f"{OWNER_TENANT}/{OWNER_OBJECT}",
                    "--pod-uid", POD_UID, "--issuer", ISSUER, "--policy", wanted).stdout.strip()
        kid = json.loads(run(binary("sallyport"), "owner", "keys", self.lab.folder / "rsa.pem").stdout)
        self.keys.write(jwks__json=json.dumps(kid))
        wait_for("the keys are read again", lambda: self.put(token)[1].startswith("POLICY_MISMATCH"))
        self.assertEqual(self.lab.api("PUT", "/policy", wanted.read_text())[0], 200)
        self.assertBinds(token)

    def test_without_keys_nobody_can_be_bound(self):
        self.begin(SALLYPORT_OWNER_JWKS_FILE=None)
        self.assertUnproved(self.issuer.token(), "NO_KEYS")
        self.assertClosed()

    def test_a_damaged_state_file_binds_nobody_and_is_said(self):
        self.begin()
        self.assertBinds(self.issuer.token())
        self.sidecar.kill()
        self.sidecar.wait()
        (self.state / "owner.json").write_text('{"podUid":')
        self.begin()
        self.assertEqual(self.owner()["state"], "unbound")
        self.assertIn("owner.json in the state directory is not usable", self.lab.log())


class Annotation(OwnerCase):
    def test_owner_T2_an_annotation_without_signature_or_for_another_pod_binds_nobody(self):
        self.annotate(f"{OWNER_TENANT}/{OTHER_OBJECT}")
        self.begin_with_annotation()
        self.recorded("OwnerChange", EventOriginalResultDetails="TOKEN_MALFORMED")
        self.annotate(self.issuer.token(pod_uid=OTHER_POD))
        self.recorded("OwnerChange", EventOriginalResultDetails="POD_WRONG")
        self.annotate(None, **{"sandbox.users.io/owner": OTHER_OBJECT, "x": f'y"\nsallyport.dev/owner-token="{self.issuer.token()}'})
        time.sleep(0.3)
        self.assertEqual(self.owner()["state"], "unbound")
        self.assertClosed()
        self.annotate(self.issuer.token())
        self.bound_by_annotation()
        self.assertOpen()

    def test_owner_T9_an_annotation_that_vanishes_or_changes_changes_nothing(self):
        self.annotate(self.issuer.token())
        self.begin_with_annotation()
        self.bound_by_annotation()
        self.annotate(None)
        self.recorded("OwnerChange", Operation="OwnerTokenVanished", SrcUserAadId=OWNER_OBJECT)
        self.annotate(self.issuer.token(OTHER_OBJECT))
        self.recorded("OwnerChange", Operation="OwnerRebindRefused", SrcUserAadId=OWNER_OBJECT)
        self.pod.write()
        self.recorded("OwnerChange", 2, Operation="OwnerTokenVanished")
        self.assertEqual(self.owner()["objectId"], OWNER_OBJECT)
        self.assertOpen()

    def test_owner_T13_a_key_that_is_rotated_while_binding(self):
        self.issuer.key("ec-new", "ec:P-256")
        self.annotate(self.issuer.token(name="ec-new"))
        self.begin_with_annotation()
        self.recorded("OwnerChange", EventOriginalResultDetails="KEY_UNKNOWN")
        self.keys.write(jwks__json="{}")
        wait_for("bad keys are said", lambda: "the keys read before hold on" in self.lab.log())
        self.assertUnproved(self.issuer.token(pod_uid=OTHER_POD), "POD_WRONG")
        self.keys.write(jwks__json=self.issuer.jwks("ec-new"))
        self.bound_by_annotation()
        self.assertUnproved(self.issuer.token(), "KEY_UNKNOWN")

    def test_a_bare_token_in_a_file_that_comes_later_binds(self):
        path = self.lab.folder / "later" / "token"
        self.begin(SALLYPORT_OWNER_TOKEN_FILE=path)
        path.parent.mkdir(mode=0o755)
        path.parent.chmod(0o755)
        path.write_text(self.issuer.token(name="ec") + "\n")
        path.chmod(0o644)
        self.bound_by_annotation()
        self.assertOpen()

    def test_a_restart_with_the_same_annotation_is_no_news(self):
        self.annotate(self.issuer.token())
        self.begin_with_annotation()
        self.bound_by_annotation()
        self.sidecar.kill()
        self.sidecar.wait()
        self.begin_with_annotation()
        self.assertEqual(self.owner()["state"], "bound")
        self.recorded("OwnerChange", Operation="OwnerRestore")
        self.assertEqual({r["Operation"] for r in self.fresh("OwnerChange")}, {"OwnerBind", "OwnerRestore"})


class Entra(OwnerCase):
    audience = "1c2d3e4f-0000-4000-8000-123456789abc"

    def begin_with_entra(self, issuer):
        self.begin(SALLYPORT_OWNER_ISSUER=issuer, SALLYPORT_OWNER_AUDIENCE=self.audience)

    def user(self, version="2.0", **changes):
        issuer = {"2.0": f"https://login.microsoftonline.com/{OWNER_TENANT}/v2.0", "1.0": f"https://sts.windows.net/{OWNER_TENANT}/"}[version]
        now = int(time.time())
        claims = {"iss": issuer, "aud": self.audience, "tid": OWNER_TENANT, "oid": OWNER_OBJECT, "sub": "pairwise-and-useless", "scp": "bind", "ver": version,
                  "iat": now, "nbf": now, "exp": now + 3600, "uti": f"u{os.urandom(4).hex()}", "preferred_username": "someone@example.com", **changes}
        return self.issuer.sign({name: value for name, value in claims.items() if value is not None})

    def test_owner_T14_a_users_token_binds_an_applications_does_not(self):
        self.begin_with_entra(f"https://login.microsoftonline.com/{OWNER_TENANT}/v2.0")
        self.assertUnproved(self.user(scp=None, roles=["bind"], idtyp="app"), "NOT_A_USER")
        self.assertUnproved(self.user(tid=OTHER_POD), "TENANT_WRONG")
        self.assertUnproved(self.user(oid=None), "SUBJECT_MALFORMED")
        self.assertUnproved(self.issuer.token(aud=self.audience), "ISSUER_WRONG")
        token = self.user()
        self.assertEqual(self.assertBinds(token)["objectId"], OWNER_OBJECT)
        self.assertOpen()
        self.recorded("FlowOpen", SrcUserAadId=OWNER_OBJECT)
        signature = token.split(".")[2]
        for path in self.state.rglob("*"):
            if path.is_file():
                self.assertNotIn(signature.encode(), path.read_bytes(), path)
        self.assertNotIn(signature, self.lab.log())
        self.assertNotIn("someone@example.com", json.dumps(self.fresh()))

    def test_owner_T15_tokens_of_the_other_version_are_refused(self):
        self.begin_with_entra(f"https://sts.windows.net/{OWNER_TENANT}/")
        self.assertUnproved(self.user("2.0"), "ISSUER_WRONG")
        self.assertBinds(self.user("1.0"))


class SideBySide(OwnerCase):
    def test_C10_two_sandboxes_side_by_side_never_mix(self):
        with Lab(tag=f"sp{os.getpid()}b") as other:
            other.start_hub()
            keys = Volume(other.folder / "keys").write(jwks__json=self.issuer.jwks("rsa"))
            self.begin()
            second = other.start_sidecar(self.policy, SALLYPORT_OWNER=None, POD_UID=OTHER_POD, SALLYPORT_OWNER_ISSUER=ISSUER, SALLYPORT_SANDBOX_ID="sandbox-2",
                                         SALLYPORT_OWNER_JWKS_FILE=keys.path / "jwks.json")
            mine, theirs = self.issuer.token(), self.issuer.token(OTHER_OBJECT, pod_uid=OTHER_POD)
            self.assertUnproved(theirs, "POD_WRONG")
            self.assertEqual(other.api("PUT", "/owner", {"token": mine})[0], 401)
            self.assertBinds(mine)
            self.assertEqual(other.api("PUT", "/owner", {"token": theirs})[0], 200)
            for lab in (self.lab, other) * 3:
                self.assertEqual(lab.fetch("https://registry.example.test/")[0], 0)
            self.recorded("FlowOpen", 3, DstFQDN="registry.example.test")
            wait_for("the other's flows are at its hub", lambda: len(other.records("FlowOpen", DstFQDN="registry.example.test")) >= 3, 15)
            self.assertEqual({r["SrcUserAadId"] for r in self.fresh() if "SrcUserAadId" in r}, {OWNER_OBJECT})
            self.assertEqual({r["SrcUserAadId"] for r in other.records() if "SrcUserAadId" in r}, {OTHER_OBJECT})
            self.assertEqual({r["SbxSandboxId"] for r in other.records()}, {"sandbox-2"})
            self.assertIsNone(second.poll())


class Commands(unittest.TestCase):
    """`sallyport owner`: what it signs PyJWT takes, and what PyJWT signs it takes."""

    @classmethod
    def setUpClass(cls):
        cls.issuer = Issuer()
        cls.addClassCleanup(cls.issuer.close)
        cls.files = {}
        for name, kind in (("rsa", "rsa:2048"), ("ec", "ec:P-256")):
            cls.files[name] = cls.issuer.folder / f"command-{name}.pem"
            cls.files[name].write_text(cls.issuer.key(name, kind))
        cls.keys = cls.issuer.folder / "command-jwks.json"

    def sallyport(self, *arguments, **options):
        return run(binary("sallyport"), "owner", *arguments, check=False, **options)

    def sign(self, name, *options):
        result = self.sallyport("sign", "--key", self.files[name], "--subject", f"{OWNER_TENANT}/{OWNER_OBJECT}", "--pod-uid", POD_UID, *options)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return result.stdout.strip()

    def test_an_independent_library_takes_what_is_signed(self):
        for name, algorithm in (("rsa", "RS256"), ("ec", "ES256")):
            for _ in range(20):
                token = self.sign(name, "--issuer", ISSUER, "--lifetime", "10m", "--session-id", "s", "--claim-uid", "c")
                claims = self.issuer.ask(verify=token, key=self.issuer.key(name), algorithm=algorithm, audience="egress-sidecar")
            self.assertEqual((claims["sub"], claims["iss"], claims["pod_uid"], claims["session_id"], claims["claim_uid"], claims["exp"] - claims["iat"]),
                             (f"{OWNER_TENANT}/{OWNER_OBJECT}", ISSUER, POD_UID, "s", "c", 600))

    def test_verify_says_what_a_sidecar_would(self):
        keys = self.sallyport("keys", self.files["rsa"], self.files["ec"])
        self.assertEqual(keys.returncode, 0)
        self.keys.write_text(keys.stdout)
        for name in ("rsa", "ec"):
            token = self.sign(name)
            good = self.sallyport("verify", "--keys", self.keys, "--pod-uid", POD_UID, input=token)
            self.assertEqual((good.returncode, good.stdout.splitlines()[0]), (0, f"owner    {OWNER_TENANT}/{OWNER_OBJECT}"))
            bad = self.sallyport("verify", "--keys", self.keys, "--pod-uid", OTHER_POD, input=f'sallyport.dev/owner-token="{token}"\n')
            self.assertEqual(bad.returncode, 1)
            self.assertIn("POD_WRONG", bad.stdout)
        self.keys.write_text(self.issuer.jwks("rsa", "ec"))
        theirs = self.issuer.folder / "theirs.token"
        for name in ("rsa", "ec"):
            theirs.write_text(self.issuer.token(name=name))
            self.assertEqual(self.sallyport("verify", "--keys", self.keys, "--issuer", ISSUER, theirs).returncode, 0)
            self.assertIn("ISSUER_WRONG", self.sallyport("verify", "--keys", self.keys, "--issuer", "other", theirs).stdout)

    def test_what_cannot_be_used_is_said_with_exit_code_2(self):
        weak = self.issuer.folder / "weak.pem"
        weak.write_text(self.issuer.key("weak", "rsa:1024"))
        other = self.issuer.folder / "p384.pem"
        other.write_text(self.issuer.key("p384", "ec:P-384"))
        locked = self.issuer.folder / "locked.pem"
        run("openssl", "pkey", "-in", self.files["rsa"], "-aes256", "-passout", "pass:x", "-out", locked)
        subject = ("--subject", f"{OWNER_TENANT}/{OWNER_OBJECT}", "--pod-uid", POD_UID)
        for arguments, word in (
            ((), "keys, sign and verify"), (("bind",), "bind"), (("keys",), "FILE"), (("keys", weak), "2048"), (("keys", other), "P-256"),
            (("keys", locked), "passphrase"), (("keys", "no-such-file"), "no-such-file"), (("sign", *subject), "--key"),
            (("sign", "--key", self.files["rsa"], "--subject", "someone", "--pod-uid", "x"), "TENANT/OID"),
            (("sign", "--key", self.files["rsa"], *subject, "--lifetime", "1y"), "--lifetime"),
            (("verify", "--keys", self.files["rsa"], weak), "$"), (("verify", "--keys", self.keys, "--issuer", "https://login.microsoftonline.com/common/v2.0"), "tenant"),
        ):
            with self.subTest(arguments=arguments):
                result = self.sallyport(*arguments, input="")
                self.assertEqual((result.returncode, result.stdout), (2, ""))
                self.assertIn(word, result.stderr)


if __name__ == "__main__":
    unittest.main()
