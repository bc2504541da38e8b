"""What the documents are checked against: constants and settings as the Swift sources state them, and the README cut into its parts."""
import ast, pathlib, re

ROOT = pathlib.Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text() if (ROOT / "README.md").exists() else ""

# A constant's declaration: with a value, or a parameter of an initialiser with a default (`rulesMax: Int = 4096`).
DECLARATION = re.compile(r"^\s*(?:(?:package|public|private|fileprivate|internal|static)\s+)*(?:let|var)\s+(\w+)\s*(?::\s*[\w.?<>]+)?\s*=\s*(.+?)\s*$")
PARAMETER = re.compile(r"(\w+):\s*Int\s*=\s*([\w <]+?)\s*[,)]")
# The defaults of settings have a table of their own.
SETTINGS_DEFAULTS = "Configuration/Configuration.swift"
SPANS = {"milliseconds": 10**6, "seconds": 10**9}
UNITS = {"ns": 1, "ms": 10**6, "s": 10**9, "min": 60 * 10**9, "h": 3600 * 10**9, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def evaluate(text):
    """A Swift literal or product of literals as a number (spans of time in nanoseconds); None for anything else."""
    text = text.split("//")[0].strip()
    span = re.fullmatch(r"(?:TimeSpan)?\.(\w+)\((.+)\)", text)
    if span:
        value = evaluate(span[2])
        return value * SPANS[span[1]] if span[1] in SPANS and value is not None else None
    if not re.fullmatch(r"[0-9a-fA-FxX_ <*+]+", text):
        return None
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError:
        return None
    allowed = (ast.Expression, ast.BinOp, ast.Constant, ast.LShift, ast.Mult, ast.Add)
    return eval(compile(tree, "", "eval")) if all(isinstance(n, allowed) for n in ast.walk(tree)) else None


def constants():
    """(module, `File.name`) → (value, first sentence of its comment), for every constant with a literal value."""
    found = {}
    for path in sorted((ROOT / "Sources").rglob("*.swift")):
        module = path.relative_to(ROOT / "Sources").parts[0]
        if str(path.relative_to(ROOT / "Sources")) == SETTINGS_DEFAULTS:
            continue
        comment = []
        for line in path.read_text().splitlines():
            stripped = line.strip()
            if stripped.startswith("///"):
                comment.append(stripped[3:].strip())
                continue
            declared = DECLARATION.match(line)
            pairs = [declared.groups()] if declared else PARAMETER.findall(line) if "init(" in line else []
            for name, text in pairs:
                value = evaluate(text)
                key = (module, f"{path.stem.split('+')[0]}.{name}")
                if value is not None and key not in found:
                    found[key] = (value, " ".join(comment))
            comment = []
    return found


def metrics():
    """(name, kind, meaning) of each metric, in the order in which they are shown."""
    text = "".join(path.read_text() for path in sorted((ROOT / "Sources" / "Sidecar").glob("SidecarMachine+Metrics*.swift")))
    found = [(match.start(), match[2], match[1], match[3]) for match in re.finditer(r'text\.(counter|gauge)s?\(\s*"(\w+)",\s*"([^"]+)"', text)]
    helps = re.findall(r"# HELP sallyport_(\w+) ([^\\\n]+)\n\s*# TYPE \S+ (\w+)", text)
    place = text.find("text.source(")
    found += [(place, name, kind, meaning) for name, meaning, kind in helps]
    return [row[1:] for row in sorted(found)]


def is_limit(key):
    """Constants that must stand in the README's table."""
    return re.search(r"(Max|Limit)$", key[1]) is not None


def parse_value(text):
    """The number that a cell of the table says: `8 MiB`, `4,096`, `30 s`, `2³¹ − 1`."""
    text = text.strip().replace(",", "")
    if text == "2³¹ − 1":
        return (1 << 31) - 1
    number, _, unit = text.partition(" ")
    unit = unit.strip()
    if unit and unit not in UNITS:
        raise ValueError(f"{text!r}: unknown unit")
    return int(float(number) * UNITS.get(unit, 1)) if "." in number else int(number) * UNITS.get(unit, 1)


def show_value(value, like=""):
    """As a cell says it, in the kind of unit that `like` has."""
    unit = like.split()[-1] if " " in like else ""
    if unit in ("ms", "s", "min", "h"):
        return next(f"{value // UNITS[u]} {u}" for u in ("s", "ms", "ns") if value % UNITS[u] == 0)
    if unit:
        return next((f"{value >> b} {u}" for b, u in ((30, "GiB"), (20, "MiB"), (10, "KiB")) if value and value % (1 << b) == 0), f"{value:,} B")
    return f"{value:,}"


def between(mark):
    """The lines of the README between `<!-- mark -->` and `<!-- end -->`."""
    match = re.search(rf"<!-- {mark} -->\n(.*?)<!-- end -->", README, re.S)
    if not match:
        raise AssertionError(f"README.md has no part between <!-- {mark} --> and <!-- end -->")
    return match[1].splitlines()


def rows(mark):
    """The cells of the table in that part, without its head."""
    lines = [line for line in between(mark) if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def limit_rows():
    """The table of limits: module, names, values, why."""
    for module, names, values, why in rows("limits"):
        yield module, [name.strip().strip("`") for name in names.split(";")], [value.strip() for value in values.split(";")], why


def settings():
    """name → (kind, default, meaning, OpenSandbox's variable or None), in the order of `SettingTable`."""
    text = (ROOT / "Sources/Configuration/SettingTable.swift").read_text()
    found = {}
    for call in re.finditer(r'Setting\(\s*"(\w+)",\s*\.(\w+),\s*"([^"]*)",\s*"([^"]*)"(.*?)\)(?=,?\s*(?:Setting|\]|$))', text, re.S):
        name, kind, default, meaning, rest = call.groups()
        other = re.search(r'openSandbox:\s*"(\w+)"', rest)
        found[name] = (kind, default, meaning, other[1] if other else None)
    return found


def blocks(language):
    """Fenced blocks of the README in that language, with the line each begins in."""
    return [(README[:m.start()].count("\n") + 2, m[1]) for m in re.finditer(rf"^```{language}\n(.*?)^```$", README, re.S | re.M)]
