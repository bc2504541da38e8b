"""Writes the README's two tables that the sources decide: settings wholly, limits their values and rows that are missing; and the table of metrics.

    python3 Tests/Documents/tables.py           shows what would change
    python3 Tests/Documents/tables.py --write   changes README.md and deploy/metrics.md
"""
import difflib, re, sys

import sources


def shown_default(text):
    """A value in backticks, a description as it is."""
    return "none" if not text else text if " " in text else f"`{text}`"


def settings_table():
    """One row a setting, neighbours that say the same in one."""
    groups = []
    for name, (kind, default, meaning, other) in sources.settings().items():
        if kind == "secret":
            meaning += f"; or `{name}_FILE`"
        if other:
            meaning += f"; also `{other}`"
        if groups and groups[-1][1:] == (shown_default(default), meaning):
            groups[-1][0].append(name)
        else:
            groups.append(([name], shown_default(default), meaning))
    rows = [f"| {', '.join(f'`{name}`' for name in names)} | {default} | {meaning} |" for names, default, meaning in groups]
    return ["| variable | default | meaning |", "|---|---|---|"] + rows


def limits_table():
    """The rows that stand there with their values as the sources say them, then what is missing. A row may hold several limits of a module."""
    constants = sources.constants()
    lines, seen = ["| module | limit | value | why |", "|---|---|---|---|"], set()
    for module, names, values, why in sources.limit_rows():
        kept = [(n, v) for n, v in zip(names, values) if (module, n) in constants]
        seen.update((module, n) for n, _ in kept)
        if kept:
            shown = [v if sources.parse_value(v) == constants[module, n][0] else sources.show_value(constants[module, n][0], v) for n, v in kept]
            lines.append(f"| {module} | {'; '.join(f'`{n}`' for n, _ in kept)} | {'; '.join(shown)} | {why} |")
    for (module, name), (value, comment) in constants.items():
        if sources.is_limit((module, name)) and (module, name) not in seen:
            like = "B" if re.search("octets|bytes|size", name, re.I) else ""
            line = f"| {module} | `{name}` | {sources.show_value(value, f'0 {like}' if like else '')} | {comment.replace('|', '/')} |"
            places = [at for at, row in enumerate(lines) if row.startswith(f"| {module} |")]
            lines.insert(places[-1] + 1 if places else len(lines), line)
    return lines


METRICS = sources.ROOT / "deploy" / "metrics.md"


def metrics_page():
    """What `/metrics` shows, a row a name."""
    rows = [f"| `sallyport_{name}` | {kind} | {meaning} |" for name, kind, meaning in sources.metrics()]
    return "\n".join(["# Metrics", "", "`GET /metrics`, in the Prometheus text format. Counters begin at 0 with each start of the daemon.", "",
                      "| name | kind | meaning |", "|---|---|---|", *rows, ""])


def main():
    text = sources.README
    for mark, lines in (("settings", settings_table()), ("limits", limits_table())):
        sources.between(mark)
        part = f"<!-- {mark} -->\n" + "\n".join(lines) + "\n<!-- end -->"
        text = re.sub(rf"<!-- {mark} -->\n.*?<!-- end -->", lambda _: part, text, flags=re.S)
    if "--write" in sys.argv[1:]:
        (sources.ROOT / "README.md").write_text(text)
        METRICS.write_text(metrics_page())
    else:
        sys.stdout.writelines(difflib.unified_diff(sources.README.splitlines(True), text.splitlines(True), "README.md", "sources"))
        sys.stdout.writelines(difflib.unified_diff(METRICS.read_text().splitlines(True), metrics_page().splitlines(True), "deploy/metrics.md", "sources"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
