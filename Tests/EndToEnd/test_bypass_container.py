"""The hostile workload where it will be: in containers of a pod beside the built image, each player one of them.

    a hardened container      as the injector makes it: uid 1000, no capability
    one with NET_RAW          what the injector refuses
    one of root               the container runtime's own capabilities without NET_ADMIN, as OpenSandbox leaves them; refused as well
"""
import json, signal, unittest

import bypass, test_bypass_names, test_bypass_packets
from stage import run
from pod import IMAGE, PodLab, build_image
from bypass import report as tearDownModule  # noqa: F401

# Debian's, since the containers have this machine's /usr and nothing else.
PYTHON = "/usr/bin/python3"
CAPABILITIES = "CHOWN,DAC_OVERRIDE,FSETID,FOWNER,MKNOD,NET_RAW,SETGID,SETUID,SETFCAP,SETPCAP,NET_BIND_SERVICE,SYS_CHROOT,KILL,AUDIT_WRITE"
CONTAINERS = {bypass.PLAIN: ("--user", "1000"), bypass.RAW: ("--user", "1000", "--cap-add", "NET_RAW"), bypass.ROOT: ("--user", "0", "--cap-add", CAPABILITIES),
              bypass.DAEMON: ("--user", "65532", "--cap-add", "NET_RAW")}


def setUpModule():
    build_image()
    unittest.addModuleCleanup(run, "podman", "rmi", "--force", IMAGE, check=False)


class Process:
    """A container, as a test takes a process."""

    def __init__(self, lab, name):
        self.lab, self.name = lab, name

    @property
    def pid(self):
        return self.lab.process(self.name)

    def send_signal(self, number):
        self.lab.podman("kill", "--signal", str(int(number)), self.name)

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout=60):
        return int(self.lab.podman("wait", self.name, timeout=timeout).stdout)

    def poll(self):
        return None if self.lab.runs(self.name) else self.wait()


class Contained:
    @classmethod
    def setUpClass(cls):
        cls.lab = PodLab(zone=cls.zone)
        cls.addClassCleanup(cls.lab.close)
        cls.prepare()
        cls.hub = cls.lab.start_hub(*cls.hub_options, authorization=cls.hub_authorization)
        cls.start_sidecar()
        cls.lab.start_workload()

    @classmethod
    def start_sidecar(cls, **changes):
        cls.sidecar = Process(cls.lab, cls.lab.start_sidecar(cls.policy, **{**cls.settings, **changes}))
        return cls.sidecar

    def begin_tries(self, tries, credentials):
        process = self.players.get(credentials)
        if process is None:
            base, container = 20000 + 4000 * len(self.players), self.lab.start_player(f"player-{len(self.players)}", *CONTAINERS[credentials])
            process = self.players[credentials] = self.lab.podman_popen("exec", "--interactive", container, PYTHON, str(self.program), "play", str(base))
        process.stdin.write(json.dumps(tries).encode() + b"\n")


class Packets(Contained, test_bypass_packets.Packets):
    pass


class Names(Contained, test_bypass_names.Names):
    pass


if __name__ == "__main__":
    unittest.main()
