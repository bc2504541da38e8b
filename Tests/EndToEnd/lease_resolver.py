"""The resolver of the lease tests: an answer's addresses and TTL stand in the name.

    n12.…                    one address of 198.18.0.0/15, TTL 60
    ttl-5-a-198-51-100-7.…   that address with TTL 5, and 2001:db8::7 with TTL 1
    grow-4-a-198-51-100-7.…  TTL 4 the first time, then 60
    bucket.…                 eight random addresses of 4,000, TTL 5
    slow-a-198-51-100-7.…    two seconds late
"""
import random, re, socket, struct, sys, threading

asked = {}
generator = random.Random(11)


def addresses(first):
    """The IPv4 addresses and the TTL."""
    if match := re.fullmatch(r"n(\d+)", first):
        number = int(match[1])
        return [f"198.18.{1 + number // 250}.{1 + number % 250}"], 60
    if first == "bucket":
        return [f"198.19.{number // 250}.{1 + number % 250}" for number in generator.sample(range(4000), 8)], 5
    match = re.fullmatch(r"(?:ttl-(\d+)-|grow-(\d+)-|slow-)a-(\d+)-(\d+)-(\d+)-(\d+)", first)
    if not match:
        return [], 60
    ttl = int(match[1]) if match[1] else int(match[2]) if match[2] and asked[first] == 1 else 60
    return [".".join(match.groups()[2:])], ttl


def answer(octets):
    place, labels = 12, []
    while octets[place]:
        labels.append(octets[place + 1:place + 1 + octets[place]].decode("latin1").lower())
        place += octets[place] + 1
    kind = struct.unpack_from("!H", octets, place + 1)[0]
    asked[labels[0]] = asked.get(labels[0], 0) + 1
    found, ttl = addresses(labels[0])
    if kind == 1:
        records = [struct.pack("!HHHIH", 0xc00c, 1, 1, ttl, 4) + socket.inet_aton(address) for address in found]
    elif kind == 28 and found and labels[0].startswith("ttl-"):
        records = [struct.pack("!HHHIH", 0xc00c, 28, 1, 1, 16) + socket.inet_pton(socket.AF_INET6, "2001:db8::" + found[0].split(".")[3])]
    else:
        records = []
    return labels[0], octets[:2] + struct.pack("!HHHHH", 0x8180, 1, len(records), 0, 0) + octets[12:place + 5] + b"".join(records)


s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 53))
print("ready", flush=True)
while True:
    octets, client = s.recvfrom(4096)
    first, reply = answer(octets)
    if first.startswith("slow-"):
        threading.Timer(2, s.sendto, (reply, client)).start()
    else:
        s.sendto(reply, client)
