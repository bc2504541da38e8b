"""Writes the README's two tables that the sources decide: settings wholly, limits their values and rows that are missing.

    python3 Tests/Documents/tables.py           shows what would change
    python3 Tests/Documents/tables.py --write   changes README.md
"""
import difflib, sys

import sources


def settings_table():
    """One row a setting; what has no effect yet says what it comes with."""
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    for name, (kind, default, meaning, later, other) in sources.settings().items():
        if kind == "secret":
            meaning += f"; or `{name}_FILE`"
        if other:
            meaning += f"; also `{other}`"
        if later:
            meaning += f". **No effect yet**: {later}"
        lines.append(f"| `{name}` | {f'`{default}`' if default else 'none'} | {meaning} |")
    return lines


def limits_table():
    """The rows that stand there with their values as the sources say them, then what is missing."""
    constants = sources.constants()
    lines, seen, last = ["| module | limit | value | why |", "|---|---|---|---|"], set(), ""
    for module, name, value, why in sources.rows("limits"):
        module = module or last
        last = module
        key = (module, name.strip("`"))
        seen.add(key)
        if key not in constants:
            continue
        if sources.parse_value(value) != constants[key][0]:
            like = "time" if value.split()[-1] in ("s", "ms", "min", "h") else "bytes" if value.split()[-1] in sources.UNITS else ""
            value = sources.show_value(constants[key][0], like)
        lines.append(f"| {module} | {name} | {value} | {why} |")
    for key, (value, comment) in constants.items():
        if sources.is_limit(key) and key not in seen:
            lines.append(f"| {key[0]} | `{key[1]}` | {sources.show_value(value)} | {comment.replace('|', '/')} |")
    return lines


def main():
    text = sources.README
    for mark, lines in (("settings", settings_table()), ("limits", limits_table())):
        old = "\n".join(sources.between(mark))
        text = text.replace(f"<!-- {mark} -->\n{old}\n<!-- end -->", f"<!-- {mark} -->\n" + "\n".join(lines) + "\n<!-- end -->")
    if "--write" in sys.argv[1:]:
        (sources.ROOT / "README.md").write_text(text)
    else:
        sys.stdout.writelines(difflib.unified_diff(sources.README.splitlines(True), text.splitlines(True), "README.md", "sources"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
