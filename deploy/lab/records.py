"""Reads audit records as a consumer does, and proves from them alone that none is missing (audit.md: sequence and chain)."""
import base64, hashlib, json, re

CHAIN = re.compile(rb'^\{"SbxChain":"([A-Za-z0-9_-]{22})",')


def chain_of(previous, line):
    """The chain value that a record must carry, from the one before it and the record's own bytes."""
    match = CHAIN.match(line)
    if not match:
        raise ValueError(f"SbxChain is not the first member: {line[:80]!r}")
    digest = hashlib.sha256(previous + b"{" + line[match.end():]).digest()
    return base64.urlsafe_b64encode(digest[:16]).rstrip(b"=")


def prove(lines):
    """What is wrong with these records, as a list of sentences; empty when they are complete. Duplicates are allowed.

    `lines`: each record's exact bytes, in any order, of any number of boots."""
    faults, boots, duplicates = [], {}, 0
    for line in lines:
        record = json.loads(line)
        seen = boots.setdefault(record["SbxBootId"], {})
        if record["SbxSeq"] in seen:
            duplicates += 1
            if seen[record["SbxSeq"]] != line:
                faults.append(f"boot {record['SbxBootId']}: two different records with sequence {record['SbxSeq']}")
        seen[record["SbxSeq"]] = line
    for boot, records in boots.items():
        previous, expected, dropped = boot.encode(), 1, set()
        for line in records.values():
            record = json.loads(line)
            if record["SbxRecordKind"] == "RecordsDropped" and "SbxDroppedFromSeq" in record:
                dropped.update(range(record["SbxDroppedFromSeq"], record["SbxDroppedToSeq"] + 1))
        for sequence in sorted(records):
            while expected < sequence:
                if expected not in dropped:
                    faults.append(f"boot {boot}: sequence {expected} is missing")
                expected += 1
                previous = None
            line = records[sequence]
            if previous is not None and chain_of(previous, line) != CHAIN.match(line)[1]:
                faults.append(f"boot {boot}: the chain is broken at sequence {sequence}")
            previous = CHAIN.match(line)[1]
            expected = sequence + 1
    return faults
