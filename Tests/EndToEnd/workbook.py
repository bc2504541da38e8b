"""Draws deploy/azure/workbook.json over records, for people who want to see what it shows before they deploy it. Azure draws it in its own way; the numbers are the queries'.

    python3 Tests/EndToEnd/workbook.py RECORDS.ndjson PICTURE.svg
"""
import datetime, html, json, pathlib, re, sys

import kusto
from test_analytics import AZURE, FUNCTIONS, PANELS, table

WIDTH, ROW, TOP = 1280, 20, 44
COLOURS = {"FlowOpen": "#2e7d32", "FlowDenied": "#c62828", "DnsDenied": "#ef6c00"}
STYLE = ("text{font:11px 'DejaVu Sans',sans-serif;fill:#1f2933}.t{font-size:14px;font-weight:bold}.h{fill:#52606d}.n{fill:#7b8794}"
         ".b{fill:#fff;stroke:#d9e2ec}")


def shown(value):
    if value in (None, ""):
        return ""
    if isinstance(value, datetime.datetime):
        return f"{value:%H:%M:%S}"
    if isinstance(value, datetime.timedelta):
        return f"{value.total_seconds():g} s"
    if isinstance(value, (list, dict)):
        return ", ".join(map(str, value)) if isinstance(value, list) else json.dumps(value, separators=(",", ":"))
    if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value):
        return value[:8] + "…"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def text(x, y, words, kind="", limit=200):
    words = str(words)
    return f'<text x="{x:g}" y="{y:g}" class="{kind}">{html.escape(words if len(words) <= limit else words[:limit - 1] + "…")}</text>'


def chart(rows, x, y, width):
    """Attempts by kind, stacked, a bar for each span."""
    times, kinds = sorted({row["TimeGenerated"] for row in rows}), [kind for kind in COLOURS if any(row["SbxRecordKind"] == kind for row in rows)]
    amount = {(row["TimeGenerated"], row["SbxRecordKind"]): row["Attempts"] for row in rows}
    highest = max(sum(amount.get((time, kind), 0) for kind in kinds) for time in times)
    parts, bar = [], min(90, (width - 20) / len(times))
    for place, time in enumerate(times):
        base = y + 130
        for kind in kinds:
            height = 120 * amount.get((time, kind), 0) / highest
            base -= height
            parts.append(f'<rect x="{x + place * bar:g}" y="{base:g}" width="{bar - 6:g}" height="{height:g}" fill="{COLOURS[kind]}"/>')
        parts.append(text(x + place * bar, y + 146, f"{time:%H:%M}", "n"))
    for place, kind in enumerate(kinds):
        parts += [f'<rect x="{x + place * 130:g}" y="{y + 156}" width="10" height="10" fill="{COLOURS[kind]}"/>', text(x + place * 130 + 16, y + 165, kind)]
    return parts, 172


def grid(rows, x, y, width, most=8):
    names = [name for name in rows[0] if any(shown(row.get(name)) for row in rows) and name not in ("SrcUserScopeId", "First")]
    lengths = [max([len(name), *(min(32, len(shown(row.get(name)))) for row in rows[:most])]) + 2 for name in names]
    unit, parts = min(7.4, width / sum(lengths)), []
    for place, line in enumerate([None, *rows[:most]]):
        at = x
        for name, length in zip(names, lengths):
            parts.append(text(at, y + ROW * place + 12, name if line is None else shown(line.get(name)), "h" if line is None else "", max(3, int(length * unit / 6.6))))
            at += length * unit
    if len(rows) > most:
        parts.append(text(x, y + ROW * (most + 1) + 12, f"and {len(rows) - most} more", "n"))
    return parts, ROW * (min(len(rows), most) + 1 + (len(rows) > most)) + 4


def draw(lines):
    rows = table(lines)
    now = max(row["TimeGenerated"] for row in rows) + datetime.timedelta(seconds=10)
    items = [item for item in json.loads((AZURE / "workbook.json").read_text())["items"] if item["type"] == 3]
    parts, y, left, height = [], 60, 0, 0
    for item in items:
        content, half = item["content"], item.get("customWidth") == "50"
        found = kusto.Query(PANELS[item["name"]], {"SandboxAuditFast_CL": rows}, FUNCTIONS, now).run()
        width = (WIDTH - 60) / 2 if half else WIDTH - 40
        if not half or left == 2:
            y, left, height = y + height + 16 if height else y, 0, 0
        x = 20 + left * (width + 20)
        inside, tall = ([text(x + 14, y + TOP + 8, content.get("noDataMessage", "Nothing."), "n")], 16) if not found else (
            chart if content["visualization"] == "timechart" else grid)(found, x + 14, y + TOP - 6, width - 28)
        parts.append([x, y, width, tall + TOP, [text(x + 14, y + 24, content["title"], "t"), *inside]])
        height = max(height, tall + TOP)
        left = left + 1 if half else 2
    for one in parts:
        one[3] = max(other[3] for other in parts if other[1] == one[1])
    body = [f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{tall:g}" rx="6" class="b"/>' + "".join(inside) for x, y, width, tall, inside in parts]
    total = y + height + 20
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {total:g}" width="{WIDTH}" height="{total:g}"><style>{STYLE}</style><rect width="100%" height="100%" fill="#f5f7fa"/>'
            + text(20, 38, "Sallyport", "t") + "\n".join(body) + "</svg>\n")


if __name__ == "__main__":
    source, picture = sys.argv[1:]
    pathlib.Path(picture).write_text(draw(pathlib.Path(source).read_bytes().split(b"\n")[:-1]))
