"""JSON texts read beside Python's: generated ones, and the same with characters changed, added and missing."""
import json, os, random, unittest

from differential import ours

SEED = int(os.environ.get("SALLYPORT_DIFFERENTIAL_SEED", "1"))
COUNT = int(os.environ.get("SALLYPORT_DIFFERENTIAL_COUNT", "2000"))


class Repeated(ValueError):
    pass


def theirs(octets):
    """Python's value, read as strictly as we mean to: UTF-8, no repeated member, no NaN, no half of a surrogate pair."""
    def members(pairs):
        if len({key for key, _ in pairs}) != len(pairs):
            raise Repeated("a member is repeated")
        return dict(pairs)

    def refuse(word):
        raise ValueError(word)
    value = json.loads(octets.decode("utf-8"), object_pairs_hook=members, parse_constant=refuse, parse_float=str, parse_int=str)
    json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


def depth(text):
    deepest = now = 0
    for octet in text:
        now += (octet in b"[{") - (octet in b"]}")
        deepest = max(deepest, now)
    return deepest


class JSON(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        generator = random.Random(SEED)
        cls.texts = []
        for _ in range(COUNT):
            text = json.dumps(made(generator, 4), ensure_ascii=generator.random() < 0.5, indent=generator.choice((None, 1))).encode("utf-8")
            cls.texts.append(text)
            cls.texts.append(changed(generator, text))

    def test_texts_are_accepted_and_read_alike(self):
        accepted = refused = 0
        for text, our in zip(self.texts, ours("json", [t.hex() for t in self.texts])):
            try:
                their = theirs(text)
            except (ValueError, RecursionError):
                self.assertIn("error", our, text)
                refused += 1
                continue
            self.assertNotIn("error", our, text)
            self.assertEqual(theirs(bytes.fromhex(our["text"])), their, text)
            accepted += 1
        self.assertGreater(accepted, COUNT)
        self.assertGreater(refused, COUNT // 4)


def made(generator, levels):
    kind = generator.randrange(8 if levels else 6)
    if kind == 0:
        return generator.choice((None, True, False))
    if kind == 1:
        return generator.choice((0, -1, 1.5, 1e300, -2.5e-7, 2**53 + 1, -0.0, 12345678901234567890))
    if kind < 6:
        return "".join(generator.choice(('a', 'Z', '"', "\\", "/", "\n", "\t", "\u0000", "\u001f", "é", "\u2028", "\U0001f600", "\ud7ff", "\ufffd")) for _ in range(generator.randrange(8)))
    if kind == 6:
        return [made(generator, levels - 1) for _ in range(generator.randrange(5))]
    return {f"{key}{made(generator, 0)}": made(generator, levels - 1) for key in range(generator.randrange(5))}


def changed(generator, text):
    octets = bytearray(text)
    at = generator.randrange(len(octets))
    match generator.randrange(5):
        case 0: octets[at] ^= 1 << generator.randrange(8)
        case 1: octets[at:at + 1] = generator.choice((b"", b",", b":", b"0", b"-", b"e", b".", b" ", b"\r", b"\\u", b"\\ud800", b"\xff", b"\xc3", b"\"", b"{", b"]", b"true", b"NaN"))
        case 2: octets.insert(at, generator.choice(b",:0-e. \r\\\"{}[]x\x00"))
        case 3: del octets[at:]
        case 4: octets += octets[at:]
    return bytes(octets)


if __name__ == "__main__":
    unittest.main()
