"""A lab whose resolver is a script of the test, and a sidecar that can be started anew with other settings."""
import json

from stage import LabCase, RESOLVER, wait_for, whole_lines
from upstream import PORT, Scripted


class RestartCase(LabCase):
    def restart(self, **changes):
        self.sidecar.terminate()
        self.sidecar.wait(10)
        type(self).sidecar = self.start_sidecar(**changes)


class ScriptedCase(RestartCase):
    settings = {"SALLYPORT_DNS_UPSTREAM": f"{RESOLVER}:{PORT}"}
    has_hub = False

    @classmethod
    def prepare(cls):
        cls.settings = {**cls.settings, "SALLYPORT_EVENTHUB_URL": None, "SALLYPORT_EVENTHUB_AUTH": None,
                        "SALLYPORT_AUDIT_FILE": str(cls.lab.folder / "records.ndjson")}
        (cls.lab.folder / "records.ndjson").touch(mode=0o666)

    def resolver(self, script, **more):
        made = Scripted(self.lab, script, **more)
        self.addCleanup(made.close)
        return made

    def recorded(self, **fields):
        """The records with these fields, once there is one."""
        def found():
            records = [json.loads(line) for line in whole_lines(self.lab.folder / "records.ndjson")]
            return [r for r in records if all(r.get(k) == v for k, v in fields.items())]
        return wait_for(f"a record with {fields}", found)

    def assertFails(self, answer):
        self.assertIn("status: SERVFAIL", answer)
        self.assertIn("ANSWER: 0", answer)
