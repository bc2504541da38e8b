"""What our own parsers make of lines, through the executable `differential` of this folder (`swift build --build-tests` makes it)."""
import json, os, pathlib, subprocess, sys, tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BINARY = pathlib.Path(os.environ.get("SALLYPORT_DIFFERENTIAL", ROOT / ".build" / "debug" / "differential"))
sys.path.insert(0, str(ROOT / "Tests" / "EndToEnd"))


def ours(kind, lines):
    """One JSON value a line."""
    with tempfile.NamedTemporaryFile("w", suffix=".lines") as file:
        file.write("".join(line + "\n" for line in lines))
        file.flush()
        result = subprocess.run([BINARY, kind, file.name], capture_output=True, text=True)
    if result.returncode != 0:
        raise AssertionError(f"{BINARY} {kind} ended with {result.returncode}: {result.stderr[-2000:]}")
    return [json.loads(line) for line in result.stdout.splitlines()]
