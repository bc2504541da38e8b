"""Judges of the record that know nothing of the daemon: JSON Schema, ASIM's own tester, and our own reading of sequence and chain."""
import functools, json, re, subprocess

import jsonschema

from lab import ROOT, binary
from records import prove

SCHEMA = ROOT / "deploy" / "audit" / "record.schema.json"


@functools.cache
def validator():
    schema = json.loads(SCHEMA.read_text())
    kind = jsonschema.Draft202012Validator
    kind.check_schema(schema)
    return kind(resolved(schema, schema["$defs"]), format_checker=jsonschema.FormatChecker(["ipv4", "ipv6"]))


def resolved(schema, definitions):
    """The schema with its references to `$defs` put in their place, which takes this validator a third of the time."""
    if isinstance(schema, list):
        return [resolved(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    parts = {name: resolved(part, definitions) for name, part in schema.items() if name != "$ref"}
    return parts | definitions[schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else parts


def schema_faults(record):
    """What the schema says against this record: `path: message`, empty when nothing."""
    return [f"{error.json_path}: {error.message[:200]}" for error in validator().iter_errors(record)]


# In the published schemas, and not in the older tester.
NEWER = {"SrcUserAadId", "SrcUserScopeId"}
RESERVED = {"EventTime", "EventProcessedUtcTime", "EventEnqueuedUtcTime", "PartitionId", "TenantId", "Type", "Title", "UniqueId", "id"}
STAMP = re.compile(r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\Z")
TYPES = {
    "string": lambda value: isinstance(value, str) and value != "", "datetime": lambda value: isinstance(value, str) and STAMP.match(value),
    "int": lambda value: type(value) is int and abs(value) < 1 << 31, "long": lambda value: type(value) is int and abs(value) < 1 << 63, "dynamic": lambda value: isinstance(value, dict)}


@functools.cache
def columns():
    """ASIM's tester: schema -> column -> (type, class, listed values)."""
    found = {}
    for line in (ROOT / "Tests" / "FlowAuditTests" / "ASIMColumns.swift").read_text().splitlines():
        if match := re.match(r"  (\w+),(\w+),(\w+),(\w+),(.*)\Z", line):
            schema, column, kind, klass, values = match.groups()
            found.setdefault(schema, {})[column] = (kind, klass, {v for v in values.split("|") if v})
    return found


def asim_faults(record):
    """What ASIM's tester and the rules for columns of Log Analytics say against this record."""
    known, found = columns()[record["EventSchema"]], []
    found += [f"{name} is mandatory" for name, (_, klass, _) in known.items() if klass == "Mandatory" and name not in record]
    for name, value in record.items():
        if not re.match(r"\A[A-Za-z][A-Za-z0-9_]{0,44}\Z", name) or name in RESERVED:
            found.append(f"{name} may be no column")
        kind, _, values = known.get(name, (None, None, set()))
        if kind is None:
            if not name.startswith("Sbx") and name not in NEWER and not (record["EventSchema"] == "AuditEvent" and name.startswith("SrcUser")):
                found.append(f"{name} is no column of {record['EventSchema']}")
        elif not TYPES[kind](value):
            found.append(f"{name} is no {kind}: {value!r}")
        elif values and value not in values:
            found.append(f"{name} has no such value: {value!r}")
    return found


def verify(lines, *options):
    """`sallyport verify` over these lines, by standard input: (exit code, output)."""
    result = subprocess.run([str(binary("sallyport")), "verify", *options, "-"], input=b"".join(line + b"\n" for line in lines), capture_output=True, timeout=120)
    assert result.stderr == b"", result.stderr
    return result.returncode, result.stdout.decode()


def faults(lines):
    """Everything that is wrong with a complete stream: by the schema, by ASIM's tester, by `prove`, and by `sallyport verify`, which must agree with it."""
    found = prove(lines)
    code, output = verify(lines)
    if code != 0:
        found.append(f"sallyport verify: {output}")
    for line in chosen(lines):
        record = json.loads(line)
        for fault in schema_faults(record) + asim_faults(record):
            found.append(f"{fault} in {line[:2000].decode()}")
    return found[:20]


def chosen(lines):
    """Every line; of more than the validator takes in seconds the first of each kind and every twentieth."""
    counts = {}
    for number, line in enumerate(lines):
        kind = line.partition(b'"SbxRecordKind":"')[2].partition(b'"')[0]
        counts[kind] = counts.get(kind, 0) + 1
        if len(lines) <= 1_000 or counts[kind] <= 100 or number % 20 == 0:
            yield line
