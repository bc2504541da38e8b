"""Packages from PyPI that tests drive the daemon with or judge its manifests by, in environments of their own under .build, made when they are first asked for."""
import fcntl, pathlib, subprocess, sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / ".build" / "python"
WANTED = ("opensandbox==1.1.1", "schemathesis==4.32.5", "jsonschema==4.26.0")
# The grammar of the Kusto Query Language that Microsoft publishes, for ANTLR; a parser of Bicep.
KUSTO = ("kusto-query-language-parser==0.1.0", "antlr4-python3-runtime==4.13.2", "pycep-parser==0.7.1")
CHECKOV = ("checkov==3.3.30",)
# OpenSandbox's server, which reads its settings and makes its sidecar's environment.
OPENSANDBOX = ("opensandbox-server==1.1.1",)
# Who asks Microsoft Entra for a token as it should be asked.
IDENTITY = ("azure-identity==1.27.0",)
# Helm as a library, the schemas of Kubernetes, CEL.
MANIFESTS = ("helm-python-sdk==0.2.2", "kubernetes-validate==1.37.0", "common-expression-language==0.10.0", "yamllint==1.38.0", "pyyaml==6.0.4", "jsonschema==4.26.0")


def python(folder=FOLDER, wanted=WANTED):
    """The interpreter that has them."""
    folder.parent.mkdir(exist_ok=True)
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = folder / "installed"
        if not stamp.exists() or stamp.read_text() != "\n".join(wanted):
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True, capture_output=True)
            made = subprocess.run([str(folder / "bin" / "pip"), "install", "-q", "--no-compile", "--disable-pip-version-check", *wanted], capture_output=True, text=True)
            if made.returncode != 0:
                raise AssertionError(f"pip could not install {' '.join(wanted)}: {made.stderr[-2000:]}")
            stamp.write_text("\n".join(wanted))
    return folder / "bin" / "python"


def provide(name, wanted):
    """Lets this very process import them."""
    interpreter = python(FOLDER.with_name(f"python-{name}"), wanted)
    site, = (interpreter.parent.parent / "lib").glob("python*/site-packages")
    if str(site) not in sys.path:
        sys.path.insert(0, str(site))
