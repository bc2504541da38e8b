"""The admission policies of the chart, evaluated by a CEL interpreter: what the injector makes is let in, every way past it that we know is not.

The interpreter is not the API server's: it does not know types, and maps stand for the typed objects of the mutating policy."""
import copy, json, pathlib, subprocess, tempfile, unittest

import manifests
from stage import binary

KATA = {"runtimeClassName": "kata-vm-isolation"}
PLAIN = {"metadata": {"name": "p", "namespace": "sandboxes"}, "spec": {**KATA, "containers": [{"name": "agent", "image": "agent:1"}]}}
TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
# As the API server's own plug-in leaves it before any webhook is asked.
TOKEN_VOLUME = {"name": "kube-api-access-x", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
TOKEN_MOUNT = {"name": "kube-api-access-x", "mountPath": TOKEN_PATH, "readOnly": True}

GOOD = {
    "plain": PLAIN,
    "with a token of the API server": {**PLAIN, "spec": {**KATA, "volumes": [TOKEN_VOLUME], "containers": [{"name": "agent", "image": "a", "volumeMounts": [TOKEN_MOUNT, {"name": "w", "mountPath": "/w"}]}]}},
    "hardened by its author": {**PLAIN, "spec": {**KATA, "securityContext": {"runAsUser": 2000, "seccompProfile": {"type": "RuntimeDefault"}}, "automountServiceAccountToken": False, "containers": [
        {"name": "agent", "image": "a", "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}}]}},
    "with init containers, a volume and a port": {**PLAIN, "spec": {**KATA, "volumes": [{"name": "work", "emptyDir": {}}], "initContainers": [{"name": "execd-installer", "image": "e"}, {"name": "two", "image": "f", "restartPolicy": "Always"}],
        "containers": [{"name": "agent", "image": "a", "ports": [{"containerPort": 8080}], "volumeMounts": [{"name": "work", "mountPath": "/work"}],
                        "securityContext": {"runAsUser": 0, "capabilities": {"add": ["NET_BIND_SERVICE"]}}}, {"name": "second", "image": "b"}]}},
}


def container(pod, name):
    return next(c for c in pod["spec"].get("initContainers", []) + pod["spec"]["containers"] if c["name"] == name)


def variable(name, value):
    def change(pod):
        for entry in container(pod, "sallyport")["env"]:
            if entry["name"] == name:
                entry.update(value=value)
                return
        container(pod, "sallyport")["env"].append({"name": name, "value": value})
    return change


def agent(**members):
    return lambda pod: container(pod, "agent").update(members)


def context(**members):
    return lambda pod: container(pod, "agent")["securityContext"].update(members)


def sidecar(**members):
    return lambda pod: container(pod, "sallyport").update(members)


def sidecar_context(**members):
    return lambda pod: container(pod, "sallyport")["securityContext"].update(members)


def spec(**members):
    return lambda pod: pod["spec"].update(members)


def volume(name, **source):
    def change(pod):
        place = next(n for n, v in enumerate(pod["spec"]["volumes"]) if v["name"] == name)
        pod["spec"]["volumes"][place] = {"name": name, **source}
    return change


def decoy(pod):
    """A second container of the sidecar's name, among the ordinary ones, that wants to be taken for it."""
    pod["spec"]["containers"].append({**copy.deepcopy(container(pod, "sallyport")), "image": "mine"})


def behind(pod):
    """An init container in front of the sidecar runs without rules."""
    pod["spec"]["initContainers"].insert(0, {"name": "early", "image": "a", "securityContext": container(pod, "agent")["securityContext"]})


# What somebody may write who gets past the webhook, or past the injector's mind.
BYPASSES = {
    "no sidecar": lambda pod: pod["spec"].update(initContainers=[]),
    "no init containers at all": lambda pod: pod["spec"].pop("initContainers"),
    "the sidecar as an ordinary container, started beside the workload": lambda pod: pod["spec"]["containers"].append(pod["spec"]["initContainers"].pop(0)),
    "another init container first": behind,
    "two sidecars": lambda pod: pod["spec"]["initContainers"].append(copy.deepcopy(container(pod, "sallyport"))),
    "a decoy among the containers": decoy,
    "another image": sidecar(image="mine"),
    "a tag that looks like it": lambda pod: sidecar(image=container(pod, "sallyport")["image"] + "0")(pod),
    "another command": sidecar(command=["/bin/true"]),
    "other arguments": sidecar(args=["version"]),
    "arguments beside it": sidecar(args=["run", "--config", "/mine"]),
    "no restart": lambda pod: container(pod, "sallyport").pop("restartPolicy"),
    "no start-up probe": lambda pod: container(pod, "sallyport").pop("startupProbe"),
    "a start-up probe of somebody else": lambda pod: container(pod, "sallyport")["startupProbe"]["httpGet"].update(port=8080),
    "a start-up probe of another host": lambda pod: container(pod, "sallyport")["startupProbe"]["httpGet"].update(host="198.51.100.1"),
    "a liveness probe that kills it": sidecar(livenessProbe={"tcpSocket": {"port": 1}}),
    "a hook": sidecar(lifecycle={"postStart": {"exec": {"command": ["/sallyport", "version"]}}}),
    "observe mode": variable("SALLYPORT_MODE", "observe"),
    "no owner needed": variable("SALLYPORT_OWNER_REQUIRED", "false"),
    "a policy of its own": variable("SALLYPORT_POLICY", '{"egress":[{"action":"allow","target":"0.0.0.0/0"}]}'),
    "another hub": variable("SALLYPORT_EVENTHUB_URL", "https://mine.example/hub"),
    "another user": variable("SALLYPORT_RUN_AS", "1000"),
    "a static owner": variable("SALLYPORT_OWNER", "72f988bf-86f1-41af-91ab-2d7cd011db47/6f1a2b3c-4d5e-4f60-8a7b-9c0d1e2f3a4b"),
    "a library path": variable("LD_PRELOAD", "/mine.so"),
    "a variable twice": lambda pod: container(pod, "sallyport")["env"].append({"name": "SALLYPORT_EVENTHUB_URL", "value": "https://evhns-sandbox.servicebus.windows.net/sandbox-audit-fast"}),
    "a variable missing": lambda pod: container(pod, "sallyport")["env"].pop(),
    "a pod uid of another pod": variable("POD_UID", "b8f1"),
    "variables by the heap": sidecar(envFrom=[{"configMapRef": {"name": "mine"}}]),
    "a policy ConfigMap of its own": volume("sallyport-policy", configMap={"name": "mine"}),
    "the policy's ConfigMap with another key": volume("sallyport-policy", configMap={"name": "sallyport-policy", "items": [{"key": "x", "path": "policy.json"}]}),
    "keys of its own": volume("sallyport-keys", configMap={"name": "mine"}),
    "a token of its own": volume("sallyport-api", secret={"secretName": "mine"}),
    "a state volume that is there already": volume("sallyport-state", persistentVolumeClaim={"claimName": "mine"}),
    "a second volume over the policy": lambda pod: pod["spec"]["volumes"].append({"name": "sallyport-policy", "configMap": {"name": "mine"}}),
    "a mount over the policy": lambda pod: container(pod, "sallyport")["volumeMounts"].append({"name": "work", "mountPath": "/var/run/sallyport/policy"}),
    "a mount elsewhere": lambda pod: container(pod, "sallyport")["volumeMounts"][0].update(mountPath="/elsewhere"),
    "a part of a volume": lambda pod: container(pod, "sallyport")["volumeMounts"][0].update(subPath="x"),
    "a sidecar without NET_ADMIN": sidecar_context(capabilities={"drop": ["ALL"], "add": ["SETUID", "SETGID"]}),
    "a sidecar with more": sidecar_context(capabilities={"drop": ["ALL"], "add": ["NET_ADMIN", "SETUID", "SETGID", "SYS_ADMIN"]}),
    "a sidecar that is privileged": sidecar_context(privileged=True),
    "a sidecar as another user": sidecar_context(runAsUser=1000),
    "a sidecar with a writable root": sidecar_context(readOnlyRootFilesystem=False),
    "NET_ADMIN": context(capabilities={"drop": ["ALL"], "add": ["NET_ADMIN"]}),
    "NET_RAW": context(capabilities={"drop": ["ALL"], "add": ["NET_RAW"]}),
    "SETUID": context(capabilities={"drop": ["ALL"], "add": ["SETUID"]}),
    "every capability": context(capabilities={"drop": ["ALL"], "add": ["ALL"]}),
    "the runtime's capabilities": context(capabilities={"drop": ["NET_ADMIN"]}),
    "no capabilities dropped": context(capabilities={}),
    "privileged": context(privileged=True),
    "escalation": context(allowPrivilegeEscalation=True),
    "escalation by default": lambda pod: container(pod, "agent")["securityContext"].pop("allowPrivilegeEscalation"),
    "no security context": lambda pod: container(pod, "agent").pop("securityContext"),
    "the sidecar's user": context(runAsUser=65532),
    "the image's user, whoever that is": lambda pod: container(pod, "agent")["securityContext"].pop("runAsUser"),
    "the sidecar's user by the pod": lambda pod: (container(pod, "agent")["securityContext"].pop("runAsUser"), pod["spec"].update(securityContext={"runAsUser": 65532})),
    "unmasked /proc": context(procMount="Unmasked"),
    "no seccomp": context(seccompProfile={"type": "Unconfined"}),
    "an init container that is not hardened": lambda pod: pod["spec"]["initContainers"].append({"name": "late", "image": "a"}),
    "the node's network": spec(hostNetwork=True),
    "the node's processes": spec(hostPID=True),
    "the node's IPC": spec(hostIPC=True),
    "one process namespace": spec(shareProcessNamespace=True),
    "a folder of the node": lambda pod: pod["spec"]["volumes"].append({"name": "h", "hostPath": {"path": "/run"}}),
    "the sidecar's spool": agent(volumeMounts=[{"name": "sallyport-state", "mountPath": "/s"}]),
    "the sidecar's token for the hub": agent(volumeMounts=[{"name": "sallyport-identity", "mountPath": "/t"}]),
    "a token for the hub of its own": lambda pod: (pod["spec"]["volumes"].append({"name": "t", "projected": {"sources": [{"serviceAccountToken": {"audience": "api://AzureADTokenExchange", "path": "t"}}]}}),
                                                   agent(volumeMounts=[{"name": "t", "mountPath": "/t"}])(pod)),
    "the service account's token": lambda pod: (pod["spec"]["volumes"].append(TOKEN_VOLUME), agent(volumeMounts=[TOKEN_MOUNT])(pod)),
    "automounted tokens": spec(automountServiceAccountToken=True),
    "the label that hands out tokens": lambda pod: pod["metadata"].update(labels={"azure.workload.identity/use": "true"}),
    "the control API's port": agent(ports=[{"containerPort": 18080}]),
    "the resolver's port": agent(ports=[{"containerPort": 15353}]),
    "routing between interfaces": spec(securityContext={"sysctls": [{"name": "net.ipv4.ip_forward", "value": "1"}]}),
    "resolvers of its own": spec(dnsPolicy="None", dnsConfig={"nameservers": ["198.51.100.53"]}),
    "a debugging container": spec(ephemeralContainers=[{"name": "d", "image": "busybox"}]),
    "no runtime class": lambda pod: pod["spec"].pop("runtimeClassName"),
    "a runtime class on the node's kernel": spec(runtimeClassName="runc"),
}
CREATE = {"operation": "CREATE", "userInfo": {"groups": ["system:authenticated"]}}
UPDATE = {**CREATE, "operation": "UPDATE"}


class PolicyCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.values = manifests.values_of("aks-kata")
        cls.values["admission"] = {"mutatingPolicy": True}
        cls.documents = manifests.objects(manifests.render(cls.values))
        cls.pods = manifests.Validating(manifests.named(cls.documents, "ValidatingAdmissionPolicy", "sallyport-pods"))
        cls.temporary = tempfile.TemporaryDirectory(prefix="sallyport-admission-")
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.settings = pathlib.Path(cls.temporary.name) / "settings.yaml"
        cls.settings.write_text(manifests.named(cls.documents, "ConfigMap", "sallyport-injector")["data"]["settings.yaml"])

    def injected(self, pod):
        """What the webhook makes of it, or None when it refuses."""
        result = subprocess.run([binary("sallyport"), "inject", "--settings", self.settings, "--file", "-", "--output", "json"],
                                input=json.dumps({"apiVersion": "v1", "kind": "Pod", **pod}), capture_output=True, text=True, timeout=30)
        self.assertIn(result.returncode, (0, 1), result.stderr)
        return json.loads(result.stdout) if result.returncode == 0 else None


class Pods(PolicyCase):
    def test_what_the_injector_makes_is_let_in(self):
        for name, pod in GOOD.items():
            with self.subTest(name):
                self.assertEqual(self.pods.refusals(CREATE, self.injected(pod)), [])

    def test_pods_that_nobody_injected_are_not(self):
        for name, pod in GOOD.items():
            with self.subTest(name):
                self.assertIn("the sidecar must be the first of the init containers, and there once", self.pods.refusals(CREATE, pod))

    def test_every_way_past_the_webhook_is_refused_with_a_reason(self):
        good = self.injected(PLAIN)
        for name, change in BYPASSES.items():
            pod = copy.deepcopy(good)
            change(pod)
            with self.subTest(name):
                self.assertNotEqual(pod, good)
                messages = self.pods.refusals(CREATE, pod)
                self.assertTrue(messages)
                # Also as a change to a pod that runs: the sidecar's image can be set on one.
                self.assertEqual(self.pods.refusals(UPDATE, pod, good) or pod["spec"] == good["spec"], messages if pod["spec"] != good["spec"] else True)

    def test_each_bypass_that_the_injector_sees_it_refuses_or_mends(self):
        """No pod that the policy refuses comes out of the injector."""
        good = self.injected(PLAIN)
        for name, change in BYPASSES.items():
            pod = copy.deepcopy(good)
            change(pod)
            with self.subTest(name):
                if (mended := self.injected(pod)) is not None:
                    self.assertEqual(self.pods.refusals(CREATE, mended), [])

    def test_every_condition_is_needed_by_some_bypass(self):
        good = self.injected(PLAIN)
        said = set()
        for change in BYPASSES.values():
            pod = copy.deepcopy(good)
            change(pod)
            said.update(self.pods.refusals(CREATE, pod))
        self.assertEqual({validation["message"] for validation in self.pods.spec["validations"]}, said)

    def test_resolvers_of_its_own_are_let_in_where_the_platform_names_the_sidecar_s(self):
        values = manifests.values_of("aks-kata")
        values["sidecar"]["settings"]["SALLYPORT_DNS_UPSTREAM"] = "10.0.0.10"
        policy = manifests.Validating(manifests.named(manifests.objects(manifests.render(values)), "ValidatingAdmissionPolicy", "sallyport-pods"))
        pod = self.injected(PLAIN)
        container(pod, "sallyport")["env"].append({"name": "SALLYPORT_DNS_UPSTREAM", "value": "10.0.0.10"})
        pod["spec"]["dnsConfig"] = {"nameservers": ["198.51.100.53"]}
        self.assertEqual(policy.refusals(CREATE, pod), [])

    def test_a_pod_from_before_the_policy_can_be_let_go(self):
        old = {"metadata": {"name": "p", "finalizers": ["x"]}, "spec": PLAIN["spec"]}
        self.assertEqual(self.pods.refusals(UPDATE, {**old, "metadata": {"name": "p"}}, old), [])


class Others(PolicyCase):
    def policy(self, name):
        return manifests.Validating(manifests.named(self.documents, "ValidatingAdmissionPolicy", name))

    def test_nobody_executes_in_the_sidecar(self):
        policy = self.policy("sallyport-exec")
        self.assertTrue(policy.refusals({"operation": "CONNECT"}, {"container": "sallyport", "command": ["/sallyport", "version"]}))
        for good in ({"container": "agent"}, {"command": ["sh"]}):
            self.assertEqual(policy.refusals({"operation": "CONNECT"}, good), [])

    def test_only_the_platform_takes_the_label_off_a_namespace(self):
        policy = self.policy("sallyport-namespaces")
        guarded = {"metadata": {"name": "s", "labels": {"sallyport.dev/inject": "enabled", "a": "b"}}}
        for bad in ({"metadata": {"name": "s"}}, {"metadata": {"name": "s", "labels": {"sallyport.dev/inject": "off"}}}, {"metadata": {"name": "s", "labels": {"a": "b"}}}):
            self.assertTrue(policy.refusals(UPDATE, bad, guarded))
            self.assertEqual(policy.refusals({**UPDATE, "userInfo": {"groups": ["system:masters"]}}, bad, guarded), [])
            self.assertEqual(policy.refusals(UPDATE, bad, bad), [])
        self.assertEqual(policy.refusals(UPDATE, {"metadata": {"name": "s", "labels": {"sallyport.dev/inject": "enabled"}}}, guarded), [])


class MutatingPolicy(PolicyCase):
    @staticmethod
    def comparable(pod):
        """Without what only the webhook writes, and without order where there is none."""
        pod = copy.deepcopy(pod)
        for member in ("apiVersion", "kind"):
            pod.pop(member, None)
        pod["metadata"].pop("annotations", None)
        for one in pod["spec"]["initContainers"] + pod["spec"]["containers"]:
            for member in ("env", "volumeMounts"):
                if not one.get(member, [1]):
                    del one[member]
                elif member in one:
                    one[member].sort(key=lambda entry: entry["name"])
        pod["spec"]["volumes"].sort(key=lambda entry: entry["name"])
        return pod

    def test_it_makes_of_a_pod_what_the_webhook_makes(self):
        policy = manifests.Mutating(manifests.named(self.documents, "MutatingAdmissionPolicy"))
        for name, pod in GOOD.items():
            with self.subTest(name):
                made = policy.admit(pod)
                self.assertEqual(self.comparable(made), self.comparable(self.injected(pod)))
                self.assertEqual(self.pods.refusals(CREATE, made), [])
                self.assertEqual(policy.admit(made), made, "done twice it is done once")
                self.assertEqual(self.comparable(self.injected(made)), self.comparable(made), "the webhook after it changes nothing")


if __name__ == "__main__":
    unittest.main()
