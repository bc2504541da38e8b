"""DNS messages read and composed beside dnspython: generated ones, and the same with octets changed, added and missing."""
import json, os, random, subprocess, sys, unittest

from differential import ours

SEED = int(os.environ.get("SALLYPORT_DIFFERENTIAL_SEED", "1"))
COUNT = int(os.environ.get("SALLYPORT_DIFFERENTIAL_COUNT", "2000"))


def peer(mode, lines):
    """What dnspython makes of messages, by an interpreter that has it."""
    from packages import FOLDER, python
    interpreter = python(FOLDER.with_name("python-dns"), ("dnspython==2.9.2",))
    result = subprocess.run([interpreter, __file__, mode, str(SEED), str(COUNT)], input="\n".join(lines), capture_output=True, text=True)
    if result.returncode != 0:
        raise AssertionError(result.stderr[-3000:])
    return [json.loads(line) for line in result.stdout.splitlines()]


class DNS(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.messages = [m["octets"] for m in peer("generate", [])]
        generator = random.Random(SEED)
        cls.mutants = [mutated(generator, bytes.fromhex(m)).hex() for m in cls.messages]

    def test_generated_messages_are_read_alike(self):
        for octets, our, their in zip(self.messages, ours("dns", self.messages), peer("read", self.messages)):
            self.assertNotIn("error", our, octets)
            self.assertNotIn("error", their, octets)
            self.assertEqual(alike(our), alike(their), octets)

    def test_changed_messages_are_read_alike_where_both_read_them_and_refusals_are_explained(self):
        both = refused = 0
        for octets, our, their in zip(self.mutants, ours("dns", self.mutants), peer("read", self.mutants)):
            if "error" not in our and "error" not in their:
                both += 1
                self.assertEqual(alike(our), alike(their), octets)
            elif "error" in our and "error" in their:
                refused += 1
            elif "error" in our:
                # Where we read less than dnspython does: each is a rule of this project, and no other may refuse alone.
                self.assertIn(our["error"], STRICTER, f"{octets}: {our}")
            else:
                # dnspython reads the data of every type it knows; we only of those that we act on.
                self.assertTrue(their["inData"], f"{octets}: dnspython refuses: {their['error']}")
        self.assertGreater(both, len(self.mutants) // 10)
        self.assertGreater(refused, len(self.mutants) // 10)

    def test_what_we_compose_dnspython_reads_as_the_same(self):
        composed = [m for m in ours("dns", self.messages) if "composed" in m]
        self.assertGreater(len(composed), len(self.messages) // 2)
        for our, their in zip(composed, peer("read", [m["composed"] for m in composed])):
            self.assertNotIn("error", their, our["composed"])
            self.assertEqual([r for r in alike(our)["records"] if r["type"] not in BINDINGS],
                             [r for r in alike(their)["records"] if r["type"] not in BINDINGS], our["composed"])
            for record in their["records"]:
                self.assertFalse(set(record.get("parameters", [])) & {4, 5, 6}, "a hint or an encrypted hello is left")


# SVCB and HTTPS: their data is rewritten.
BINDINGS = (64, 65)
FRAME = ("section", "owner", "type", "class", "ttl")
STRICTER = {"questionCount", "recordCount", "labelType", "pointerForward", "repeatedOPT", "misplacedOPT", "dataLength", "dataCompressed", "trailing"}


def alike(read):
    """What both say, in one form."""
    return {key: read.get(key) for key in ("id", "flags", "code", "question", "records", "payload", "wantsDNSSEC", "extendedError")} | {
        # Data has a meaning in class IN alone; dnspython does not read that of others.
        "records": [{k: v for k, v in r.items() if k in FRAME or r["class"] == 1 and k != "parameters"} for r in read["records"]]}


def mutated(generator, octets):
    octets = bytearray(octets)
    for _ in range(generator.randint(1, 3)):
        at = generator.randrange(len(octets))
        match generator.randrange(6):
            case 0: octets[at] ^= 1 << generator.randrange(8)
            case 1: octets[at] = generator.choice((0, 1, 0x3f, 0x40, 0xc0, 0xff))
            case 2: del octets[at]
            case 3: octets.insert(at, generator.randrange(256))
            case 4: del octets[at:]
            case 5: octets += octets[at:at + generator.randint(1, 20)]
        if not octets:
            return bytes(octets)
    return bytes(octets)


# From here on by the interpreter that has dnspython.

def generate(seed, count):
    import dns.edns, dns.flags, dns.message, dns.name, dns.rdata, dns.rdataclass, dns.rdatatype, dns.rrset
    generator = random.Random(seed)

    def name():
        def label():
            octets = bytes(generator.choice(b"abcXYZ019-_.\\ \x00\xff") for _ in range(generator.choice((1, 1, 2, 3, 8, 63))))
            return octets
        labels = [label() for _ in range(generator.randint(0, 3))]
        labels += generator.choice(([b"Acme", b"test"], [b"cdn", b"example"], []))
        while sum(len(x) + 1 for x in labels) > 253:
            labels.pop()
        return dns.name.Name([*labels, b""])

    def data(kind, owner):
        text = {
            "A": lambda: f"198.51.100.{generator.randrange(256)}", "AAAA": lambda: f"2001:db8::{generator.randrange(65536):x}",
            "CNAME": lambda: name().to_text(), "NS": lambda: name().to_text(), "PTR": lambda: name().to_text(),
            "MX": lambda: f"{generator.randrange(100)} {name().to_text()}", "TXT": lambda: '"a text" "more"',
            "SOA": lambda: f"{name().to_text()} {name().to_text()} 1 3600 600 86400 {generator.choice((0, 60, 900, 4294967295))}",
            "SRV": lambda: f"1 2 {generator.randrange(65536)} {name().to_text()}",
            "HTTPS": lambda: generator.choice(('1 . alpn="h2,h3" ipv4hint="198.51.100.7" ech="AAQBAgME"', "0 pool.cdn.example.", "1 . mandatory=alpn,ipv4hint alpn=h2 ipv4hint=198.51.100.7")),
            "CAA": lambda: '0 issue "ca.example"', "NAPTR": lambda: '1 2 "s" "SIP" "" ' + name().to_text(),
        }[kind]()
        return dns.rdata.from_text(dns.rdataclass.IN, kind, text)
    kinds = ("A", "A", "AAAA", "CNAME", "NS", "PTR", "MX", "TXT", "SOA", "SRV", "HTTPS", "CAA", "NAPTR")
    while count:
        question = name()
        message = dns.message.make_query(question, generator.choice(("A", "AAAA", "HTTPS", "TXT")), use_edns=False)
        message.id = generator.randrange(65536)
        if generator.random() < 0.9:
            message.flags = generator.choice((0x8180, 0x8400, 0x8580, 0x81a0, 0x8380)) | generator.choice((0, 3))
            for section in (message.answer, message.authority, message.additional):
                for _ in range(generator.choice((0, 0, 1, 2, 4))):
                    owner = generator.choice((question, name()))
                    made = data(generator.choice(kinds), owner)
                    section.append(dns.rrset.from_rdata(owner, generator.choice((0, 1, 60, 300, 86400)), made))
        if generator.random() < 0.5:
            options = [dns.edns.EDEOption(generator.choice((0, 15, 22)), generator.choice((None, "blocked by policy")))] if generator.random() < 0.5 else []
            if generator.random() < 0.3:
                options.insert(0, dns.edns.GenericOption(10, bytes(8)))
            message.use_edns(0, generator.choice((0, 0x8000)), generator.choice((512, 1232, 4096)), options=options)
        try:
            octets = message.to_wire()
        except Exception:
            continue
        print(json.dumps({"octets": octets.hex()}))
        count -= 1


def read(octets):
    import dns.edns, dns.exception, dns.flags, dns.message, dns.rdatatype
    strict = dns.exception.DNSException

    def wire(name):
        return name.canonicalize().to_wire().hex()
    try:
        message = dns.message.from_wire(octets, one_rr_per_rrset=True, raise_on_truncation=False)
    except Exception as error:
        in_data = False
        if isinstance(error, strict) or isinstance(error, (ValueError, KeyError, IndexError, AttributeError)):
            in_data = only_data_is_wrong(octets)
        return {"error": f"{type(error).__name__} {error}", "inData": in_data}
    if len(message.question) > 1:
        return {"error": "several questions", "inData": False}
    records = []
    for number, section in enumerate((message.answer, message.authority, message.additional)):
        for rrset in section:
            kind = int(rrset.rdtype)
            record = {"section": number, "owner": wire(rrset.name), "type": kind, "class": int(rrset.rdclass), "ttl": rrset.ttl}
            data = rrset[0] if len(rrset) else None
            if data is not None and int(rrset.rdclass) == 1:
                if kind in (1, 28):
                    record["address"] = data.address
                if kind == 5:
                    record["target"] = wire(data.target)
                if kind == 6:
                    record["minimum"] = data.minimum
                if kind in BINDINGS:
                    record["parameters"] = [int(key) for key in data.params]
            records.append(record)
    found = {"id": message.id, "flags": int(message.flags), "code": int(message.rcode()), "records": records}
    if message.question:
        asked = message.question[0]
        found["question"] = [wire(asked.name), int(asked.rdtype), int(asked.rdclass)]
    if message.edns >= 0:
        found["payload"] = message.payload
        found["wantsDNSSEC"] = bool(message.ednsflags & 0x8000)
        for option in message.options:
            if isinstance(option, dns.edns.EDEOption):
                found["extendedError"] = [int(option.code), (option.text or "").encode().hex()]
                break
    return found


def only_data_is_wrong(octets):
    """Whether the frame of the message holds, by dnspython's own reader of names, and so only some record's data is wrong."""
    import dns.name, struct
    try:
        counts = struct.unpack("!4H", octets[4:12])
        at = 12
        for _ in range(counts[0]):
            at += dns.name.from_wire(octets, at)[1] + 4
        for _ in range(sum(counts[1:])):
            at += dns.name.from_wire(octets, at)[1]
            kind, _, _, length = struct.unpack("!HHIH", octets[at:at + 10])
            at += 10 + length
        return at == len(octets) and counts[0] <= 1
    except Exception:
        return False


if __name__ == "__main__":
    mode, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    if mode == "generate":
        generate(seed, count)
    else:
        for line in sys.stdin.read().split("\n"):
            print(json.dumps(read(bytes.fromhex(line))))
