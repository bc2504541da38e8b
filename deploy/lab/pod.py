"""The lab with real containers in its pod: the sidecar from its image and the workload beside it, each as the kubelet would start it.

    sidecar    the image `sallyport`, user 0 with NET_ADMIN, SETUID, SETGID and nothing else, read-only root, no new privileges
    workload   an empty image with this machine's /usr in it, user 1000 without capabilities, read-only root, no new privileges

Both share the pod's network namespace, which is the lab's. podman and runc are Debian's; nothing is pulled.
"""
import os, pathlib, subprocess

from lab import ROOT, WORKLOAD_UID, Lab, run, wait_for

# runc, since crun refuses machines with cgroups of both versions; limits below what a virtual machine may already have set as its own.
CONTAINERS_CONF = """[containers]
default_ulimits = ["nofile=16384:16384", "nproc=8192:8192"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
# Of this process, since whoever removes an image by force takes its containers along.
IMAGE = f"localhost/sallyport-test-{os.getpid()}:latest"
WORKLOAD = f"localhost/sallyport-workload-{os.getpid()}:latest"


def build_image():
    """The image of this checkout: what is built is not built again."""
    result = subprocess.run([ROOT / "deploy" / "image" / "build", "--tag", IMAGE], capture_output=True, text=True, timeout=1500)
    if result.returncode != 0:
        raise AssertionError(f"deploy/image/build: {result.stdout}{result.stderr}")
    return result.stdout


class PodLab(Lab):
    def __init__(self, **options):
        self.containers = []
        super().__init__(**options)
        self.conf = self.folder / "containers.conf"
        self.conf.write_text(CONTAINERS_CONF)
        # What the kubelet mounts for an emptyDir.
        self.volume = self.folder / "volume"
        self.volume.mkdir()
        self.volume.chmod(0o777)
        self._workload_image()

    def podman(self, *command, check=True, timeout=60, **options):
        return run("podman", *command, check=check, timeout=timeout, env={**os.environ, "CONTAINERS_CONF": str(self.conf)}, **options)

    def podman_popen(self, *command):
        return subprocess.Popen(["podman", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env={**os.environ, "CONTAINERS_CONF": str(self.conf)})

    def _workload_image(self):
        """Folders for this machine's own programs to be mounted on."""
        root = self.folder / "workload"
        for folder in ("usr", "etc", "tmp", "proc", "dev", "sys", "root", "opt"):
            (root / folder).mkdir(parents=True)
        for name in ("bin", "sbin", "lib", "lib64"):
            (root / name).symlink_to(f"usr/{name}")
        archive = self.folder / "workload.tar"
        run("tar", "-C", root, "-cf", archive, ".")
        self.podman("import", "--quiet", archive, WORKLOAD)
        self.stack.callback(self.podman, "rmi", "--force", WORKLOAD, check=False)

    def _run(self, name, image, *options, command=()):
        container = f"{self.pod}-{name}"
        self.podman("run", "--detach", "--name", container, "--pull=never", "--network", f"ns:/run/netns/{self.pod}", "--security-opt", "no-new-privileges",
                    "--read-only", "--read-only-tmpfs=false", "--cap-drop=ALL", *options, image, *command)
        if container not in self.containers:
            self.containers.append(container)
        return container

    def start_sidecar(self, policy=None, wait=True, **changes):
        env = {**self.settings(policy, **changes), "SALLYPORT_STATE_DIR": "/var/lib/sallyport/state"}
        del env["PATH"]
        self.sidecar = f"{self.pod}-sidecar"
        self.podman("rm", "--force", "--time", "0", self.sidecar, check=False)
        settings = [part for name, value in env.items() for part in ("--env", f"{name}={value}")]
        self._run("sidecar", IMAGE, "--user", "0", "--cap-add=NET_ADMIN,SETUID,SETGID", "--volume", f"{self.volume}:/var/lib/sallyport",
                  "--volume", f"{self.folder}:{self.folder}:ro", *settings)
        if wait:
            wait_for("sallyport enforces", lambda: self.api("GET", "/healthz", timeout=1)[0] == 200 or not self.runs(self.sidecar), 20)
            if not self.runs(self.sidecar):
                raise AssertionError(f"the sidecar ended:\n{self.log()}")
        return self.sidecar

    def start_workload(self):
        """A container that waits: programs are started in it by `workload`."""
        self.agent = self.start_player("workload", "--user", str(WORKLOAD_UID))
        return self.agent

    def start_player(self, name, *options):
        """One more container of the pod, with this machine's /usr."""
        return self._run(name, WORKLOAD, *options, "--volume", "/usr:/usr:ro", "--volume", f"{self.folder}:{self.folder}:ro", command=("/usr/bin/sleep", "3600"))

    def workload(self, *command, check=False, timeout=30, **options):
        interactive = ("--interactive",) if options.get("input") is not None else ()
        return self.podman("exec", *interactive, self.agent, *map(str, command), check=check, timeout=timeout, **options)

    def runs(self, container):
        return self.podman("inspect", "--format", "{{.State.Running}}", container, check=False).stdout.strip() == "true"

    def process(self, container):
        """Its first process, as the machine numbers it."""
        return int(self.podman("inspect", "--format", "{{.State.Pid}}", container).stdout)

    def log(self):
        return self.podman("logs", f"{self.pod}-sidecar", check=False).stderr

    def close(self):
        for container in reversed(self.containers):
            self.podman("rm", "--force", "--time", "1", container, check=False)
        self.containers = []
        super().close()
