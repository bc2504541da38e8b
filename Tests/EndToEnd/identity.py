"""A sidecar that has its tokens for the hub by workload identity."""
from authority import Authority, replace
from stage import LabCase, allow, deny_all_but

ASSERTION = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQifQ.c2lnbmF0dXJl-_1"
CLIENT, TENANT = "11111111-2222-3333-4444-555555555555", "72f988bf-86f1-41af-91ab-2d7cd011db47"


class IdentityCase(LabCase):
    policy = deny_all_but(allow("198.51.100.96/28"))
    zone = Authority.ZONE

    @classmethod
    def prepare(cls):
        cls.file = cls.lab.folder / "federated-token"
        cls.file.write_text(ASSERTION)
        cls.settings = {**cls.settings, "SALLYPORT_EVENTHUB_AUTH": None, "SALLYPORT_EVENTHUB_TOKEN_FILE": None, "AZURE_CLIENT_ID": CLIENT,
                        "AZURE_TENANT_ID": TENANT, "AZURE_FEDERATED_TOKEN_FILE": cls.file, "AZURE_AUTHORITY_HOST": Authority.URL}
        (cls.lab.folder / "hub.token").write_text("nothing was issued yet")
        cls.hub_authorization = ("--bearer-file", str(cls.lab.folder / "hub.token"))
        cls.authority = Authority(cls.lab)

    @classmethod
    def start_sidecar(cls, **changes):
        # The lab writes a token of its own for each sidecar; here they are issued.
        kept = (cls.lab.folder / "hub.token").read_text()
        sidecar = super().start_sidecar(**changes)
        if (cls.lab.folder / "hub.token").read_text() == "lab-bearer":
            replace(cls.lab.folder / "hub.token", kept)
        return sidecar

    def restart(self, **changes):
        self.sidecar.kill()
        self.sidecar.wait(10)
        self.start_sidecar(**changes)

    def ask(self, name, timeout=20):
        """A name that is denied, and its record at the hub."""
        self.lab.lookup(name)
        self.arrived("DnsDenied", timeout, DnsQuery=name)

    def waits(self, name):
        """The record of this name is not at the hub."""
        return not self.lab.records("DnsDenied", DnsQuery=name)

    def said(self, *words):
        return [line for line in self.lab.log().splitlines() if all(word in line for word in words)]

    def audit(self):
        return self.lab.api("GET", "/audit")[1]
