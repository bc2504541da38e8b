"""Packages from PyPI that tests drive the daemon with, in an environment of their own under .build, made when it is first asked for."""
import fcntl, pathlib, subprocess, sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / ".build" / "python"
WANTED = ("opensandbox==1.1.1", "schemathesis==4.32.5", "jsonschema==4.26.0")


def python():
    """The interpreter that has them."""
    FOLDER.parent.mkdir(exist_ok=True)
    with open(FOLDER.parent / "python.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = FOLDER / "installed"
        if not stamp.exists() or stamp.read_text() != "\n".join(WANTED):
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(FOLDER)], check=True, capture_output=True)
            made = subprocess.run([str(FOLDER / "bin" / "pip"), "install", "-q", "--disable-pip-version-check", *WANTED], capture_output=True, text=True)
            if made.returncode != 0:
                raise AssertionError(f"pip could not install {' '.join(WANTED)}: {made.stderr[-2000:]}")
            stamp.write_text("\n".join(WANTED))
    return FOLDER / "bin" / "python"
