"""The built sidecar, for the examples that only a running one can prove."""
import os, subprocess, sys, tempfile, pathlib

import sources

sys.path.insert(0, str(sources.ROOT / "deploy" / "lab"))
import lab  # noqa: E402


def executable():
    """The built `sallyport`; None when there is none."""
    try:
        return lab.binary("sallyport")
    except SystemExit:
        return None


def missing():
    """Why a lab cannot be made; None when it can."""
    if os.getuid() != 0:
        return "network namespaces need root"
    return None if executable() else "sallyport is not built: swift build -c release"


def check(document):
    """`sallyport check` of this text: (exit code, output). The unknown setting keeps a binary without that command from starting the daemon."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "policy.json"
        path.write_text(document)
        environment = {"PATH": os.environ["PATH"], "SALLYPORT_NO_SUCH_SETTING": "1"}
        result = subprocess.run([executable(), "check", path], env=environment, capture_output=True, text=True, timeout=30)
        return result.returncode, result.stdout + result.stderr


def has_check():
    return "SALLYPORT_NO_SUCH_SETTING" not in check("{}")[1]
