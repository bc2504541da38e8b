"""Addresses, blocks and decisions about them beside Python's `ipaddress`."""
import ipaddress, json, os, random, unittest

from differential import ours

SEED = int(os.environ.get("SALLYPORT_DIFFERENTIAL_SEED", "1"))
COUNT = int(os.environ.get("SALLYPORT_DIFFERENTIAL_COUNT", "2000"))


def an_address(generator):
    if generator.random() < 0.5:
        return ipaddress.IPv4Address(generator.choice((generator.getrandbits(32), 0xc6336400 | generator.getrandbits(8), 0x0a140000 | generator.getrandbits(16))))
    return ipaddress.IPv6Address(generator.choice((generator.getrandbits(128), 0x20010db8 << 96 | generator.getrandbits(16), generator.getrandbits(64), 0xffff << 32 | generator.getrandbits(32))))


def spelled(generator, address):
    """One of the ways to write it."""
    return generator.choice((str(address), address.exploded, str(address).upper()))


def changed(generator, text):
    at = generator.randrange(len(text) + 1)
    return text[:at] + generator.choice("0123456789abcfx:./% -") + text[at + generator.randrange(2):]


class Addresses(unittest.TestCase):
    def test_texts_of_addresses_and_blocks_are_taken_alike(self):
        generator = random.Random(SEED)
        texts = []
        for _ in range(COUNT):
            text = spelled(generator, an_address(generator))
            if generator.random() < 0.5:
                network = a_block(generator)
                text = f"{spelled(generator, network.network_address)}/{network.prefixlen}"
            texts += [text, changed(generator, text)]
        taken = 0
        for text, our in zip(texts, ours("addresses", texts)):
            their = canonical(text)
            self.assertEqual(our and our["text"], their, repr(text))
            taken += their is not None
        self.assertGreater(taken, COUNT)

    def test_the_first_block_that_holds_an_address_decides_about_it(self):
        generator = random.Random(SEED)
        for _ in range(12):
            rules = []
            for block in {a_block(generator) for _ in range(generator.choice((1, 20, 200)))}:
                rules.append((generator.choice(("allow", "deny")), block))
            policy = {"defaultAction": generator.choice(("allow", "deny")),
                      "egress": [{"action": action, "target": str(block)} for action, block in rules]}
            asked = [an_address(generator) for _ in range(200)]
            asked += [a for _, b in rules for a in (b.network_address, b.broadcast_address)]
            for address, our in zip(asked, ours("decisions", [json.dumps(policy), *map(str, asked)])):
                held = [(action, block) for action, block in rules if block.version == address.version and address in block]
                wanted = held[0][0] if held else policy["defaultAction"]
                self.assertEqual(our["isAllowed"], wanted == "allow", f"{address} in {policy}: {our}")
                if held:
                    self.assertEqual(our["rule"].split()[1], str(held[0][1]), our)


def a_block(generator):
    address = an_address(generator)
    length = generator.choice((8, 12, 16, 20, 24, 28, 31, 32) if address.version == 4 else (16, 32, 48, 64, 100, 112, 127, 128))
    return (ipaddress.IPv4Network if address.version == 4 else ipaddress.IPv6Network)((int(address), length), strict=False)


def canonical(text):
    """As we write it; None when `ipaddress` takes it for neither. A block of one address is written as that address."""
    # A zone means something on one machine alone.
    if "%" in text:
        return None
    try:
        return form(ipaddress.ip_address(text))
    except ValueError:
        pass
    try:
        # Only digits behind the slash: no netmask, no sign, no leading zero.
        head, slash, length = text.partition("/")
        if not slash or not length.isascii() or not length.isdigit() or length != str(int(length)):
            return None
        # Host bits are cut here; that a policy refuses them is the policy's rule.
        network = ipaddress.ip_network(text, strict=False)
        return form(network.network_address) + ("" if network.num_addresses == 1 else f"/{network.prefixlen}")
    except ValueError:
        return None


def form(address):
    """RFC 5952 §5: IPv4-mapped addresses are written with their IPv4 part."""
    if address.version == 6 and address.ipv4_mapped:
        return f"::ffff:{address.ipv4_mapped}"
    return str(address)


if __name__ == "__main__":
    unittest.main()
