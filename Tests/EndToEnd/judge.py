"""Judges of the record that know nothing of the daemon: JSON Schema, and our own reading of sequence and chain."""
import functools, json, subprocess

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


def verify(lines, *options):
    """`sallyport verify` over these lines, by standard input: (exit code, output)."""
    result = subprocess.run([str(binary("sallyport")), "verify", *options, "-"], input=b"".join(line + b"\n" for line in lines), capture_output=True, timeout=120)
    assert result.stderr == b"", result.stderr
    return result.returncode, result.stdout.decode()


def faults(lines):
    """Everything that is wrong with a complete stream: by the schema, by `prove`, and by `sallyport verify`, which must agree with it."""
    found = prove(lines)
    code, output = verify(lines)
    if code != 0:
        found.append(f"sallyport verify: {output}")
    for line in chosen(lines):
        for fault in schema_faults(json.loads(line)):
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
