"""The hostile workload: tries each way out that it is told to and says how each ended. Also the resolver outside that answers it.

    bypass_workload.py play PORT      each line of standard input is a JSON list [[try, argument…]…], each line of standard output the list of their
                                      outcomes; datagrams come from one port after the other, beginning with PORT
    bypass_workload.py resolver FILE  a DNS server on 198.18.0.53 and 2001:db8::54; the names that it was asked go to FILE

An outcome is what the program saw: `answered` and `connected` mean that somebody outside spoke to it; `sent` only that the kernel took the
packet (whether it left is for the capture outside to say); `no socket: …` that it did not get as far as a packet; everything else is a refusal.
"""
import ctypes, errno, json, os, random, re, socket, struct, subprocess, sys, threading, time

MARK = b"sallyport-escape"                                # in everything that tries to leave: outside, nobody may see it
RESOLVER = "198.18.0.53"
RESOLVER6 = "2001:db8::54"
POD = "10.77.0.2"
PATIENCE = 0.4                                            # seconds; a refusal takes far less, an answer too
UDPLITE, MPTCP, SCTP, DCCP, L2TP = 136, 262, 132, 33, 115
IP_NODEFRAG, IP_FREEBIND, IPV6_FREEBIND, IPV6_HDRINCL = 22, 15, 78, 36
SO_MARK, MSG_FASTOPEN = 36, 0x20000000
NEXT_PORT = 0                                             # of a datagram whose port the try leaves open: conntrack remembers those of the last minutes


class NoSocket(Exception):
    """The kernel refuses the socket or one of its options: there is no packet."""


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def set_options(s, options):
    """Each option is [level, name, value]; a value that is text is hexadecimal octets or, with `@`, a string."""
    for level, name, value in options:
        if isinstance(value, str):
            value = value[1:].encode() + b"\0" if value.startswith("@") else bytes.fromhex(value)
        s.setsockopt(level, name, value)


def opened(address, kind, protocol=0, options=(), bind=None):
    """A socket with these options."""
    try:
        s = socket.socket(family_of(address), kind, protocol)
        s.settimeout(PATIENCE)
        set_options(s, options)
        if bind:
            s.bind(tuple(bind))
    except OSError as error:
        raise NoSocket(f"no socket: {errno.errorcode.get(error.errno, error)}") from None
    return s


def own_port():
    """A source port that no try had before."""
    global NEXT_PORT
    NEXT_PORT += 1
    return NEXT_PORT


def opened_datagrams(address, protocol=0, options=(), bind=None):
    """A socket for datagrams, from a port of its own unless told from which."""
    s = opened(address, socket.SOCK_DGRAM, protocol, options, bind)
    while NEXT_PORT and not bind:
        try:
            s.bind(("", own_port()))
            break
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    return s


def tcp(address, port, options=(), bind=None, protocol=0, kind=socket.SOCK_STREAM):
    s = opened(address, kind, protocol, options, bind)
    s.connect((address, port))
    s.send(MARK)
    return "answered" if s.recv(100) else "connected"


def udp(address, port, options=(), bind=None, protocol=0, size=len(MARK)):
    s = opened_datagrams(address, protocol, options, bind)
    s.connect((address, port))
    s.send(MARK.ljust(size, b"."))
    s.recv(65536)
    return "answered"


def unconnected_udp(address, port, options=()):
    """Without connect() errors do not come back: only the capture can tell."""
    s = opened_datagrams(address, 0, options)
    s.sendto(MARK, (address, port))
    return "sent"


def fast_open(address, port):
    s = opened(address, socket.SOCK_STREAM)
    s.sendto(MARK, MSG_FASTOPEN, (address, port))
    return "answered" if s.recv(100) else "connected"


def other(address, port, protocol, kind):
    return tcp(address, port, (), None, protocol, kind)


def with_control(address, port, control, kind=socket.SOCK_DGRAM):
    """Each control message is [level, type, hexadecimal octets]."""
    s = opened_datagrams(address) if kind == socket.SOCK_DGRAM else opened(address, kind)
    try:
        s.sendmsg([MARK], [(level, name, bytes.fromhex(value)) for level, name, value in control], 0, (address, port))
    except OSError as error:
        # Refused before there is a packet, like an option.
        raise NoSocket(f"no socket: {errno.errorcode.get(error.errno, error)}") from None
    return "sent"


def corked(allowed, denied, port):
    """A datagram that is begun for one address and finished for another."""
    s = opened_datagrams(allowed)
    s.sendto(b"begun ", socket.MSG_MORE, (allowed, port))
    s.sendto(MARK, 0, (denied, port))
    return "sent"


def reconnected(allowed, denied, port):
    """A socket, and then the same source port, that had a flow of their own to an allowed address."""
    s = opened_datagrams(allowed)
    s.connect((allowed, port))
    s.send(b"x")
    s.recv(100)
    s.connect((denied, port))
    s.send(MARK)
    with_answer = attempt("receive", s)
    first = opened(allowed, socket.SOCK_STREAM, 0, ((1, 2, 1),))
    first.connect((allowed, port))
    source = first.getsockname()[1]
    try:
        return tcp(denied, port, ((1, 2, 1),), ("0.0.0.0", source))
    except ConnectionRefusedError:
        return with_answer
    finally:
        first.close()


def receive(s):
    s.recv(100)
    return "answered"


def ping(address):
    s = opened(address, socket.SOCK_DGRAM, 58 if ":" in address else 1)
    s.sendto(struct.pack("!BBHHH", 128 if ":" in address else 8, 0, 0, 7, 1) + MARK, (address, 0))
    s.recv(200)
    return "answered"


# Names.

def question(name, kind=1, identifier=None):
    labels = b"".join(bytes([len(l)]) + l.encode() for l in name.split("."))
    return struct.pack("!HHHHHH", random.getrandbits(16) if identifier is None else identifier, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)


def addresses(reply):
    """The IPv4 and IPv6 addresses of a reply's answers; None when it has none to give."""
    count, place = struct.unpack_from("!H", reply, 6)[0], 12
    while reply[place]:
        place += reply[place] + 1
    place += 5
    found = []
    for _ in range(count):
        while reply[place] and reply[place] < 0xc0:
            place += reply[place] + 1
        place += 2 if reply[place] else 1
        kind, _, _, length = struct.unpack_from("!HHIH", reply, place)
        place += 10
        if kind in (1, 28):
            found.append(socket.inet_ntop(socket.AF_INET if kind == 1 else socket.AF_INET6, reply[place:place + length]))
        place += length
    return found


def look_up(name, server=RESOLVER, port=53, over="udp", bind=None, options=(), kind=1, patience=PATIENCE):
    """`code:N` with the addresses."""
    s = opened(server, socket.SOCK_STREAM if over == "tcp" else socket.SOCK_DGRAM, 0, options, bind)
    s.settimeout(patience)
    s.connect((server, port))
    query = question(name, kind)
    if over == "tcp":
        s.send(struct.pack("!H", len(query)) + query)
        reply = s.recv(2)
        reply = s.recv(struct.unpack("!H", reply)[0]) if reply else b""
    else:
        s.send(query)
        reply = s.recv(65536)
    return f"code:{reply[3] & 15} {' '.join(addresses(reply))}".strip() if reply else "closed"


def look_up_many(names, window=64):
    """Every name once, no more than `window` at a time: how many addresses, refusals and silences."""
    result = {"answers": 0, "refused": 0, "silent": 0, "addresses": []}
    s = opened(RESOLVER, socket.SOCK_DGRAM)
    s.settimeout(2.5)
    s.connect((RESOLVER, 53))
    waiting, left = {}, list(names)
    while waiting or left:
        while left and len(waiting) < window:
            name, identifier = left.pop(), random.getrandbits(16)
            if identifier not in waiting:
                waiting[identifier] = name
                s.send(question(name, 1, identifier))
            else:
                left.append(name)
        try:
            reply = s.recv(4096)
        except OSError:
            result["silent"] += len(waiting)
            waiting.clear()
            continue
        if waiting.pop(struct.unpack_from("!H", reply)[0], None):
            found = addresses(reply)
            result["answers" if found else "refused"] += 1
            result["addresses"] += found
    return result


def range_of_names(text, first, count):
    return look_up_many([text % i for i in range(first, first + count)])


def from_ports(ports, name):
    """A query to the real resolver from exactly these source ports, with what may help to bind them."""
    bound = answered = 0
    for port in ports:
        for level, option in ((0, 0), (socket.SOL_SOCKET, socket.SO_REUSEADDR)):
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.settimeout(0.05)
            try:
                if option:
                    s.setsockopt(level, option, 1)
                s.bind((POD, port))
                s.connect((RESOLVER, 53))
                bound += 1
                s.send(question(name))
                reply = s.recv(512)
                answered += bool(addresses(reply))
                break
            except OSError:
                pass
            finally:
                s.close()
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        s.settimeout(0.05)
        try:
            s.bind((POD, port))
            s.connect((RESOLVER, 53))
            query = question(name)
            s.send(struct.pack("!H", len(query)) + query)
            reply = s.recv(512)
            answered += bool(reply) and bool(addresses(reply[2:]))
        except OSError:
            pass
        finally:
            s.close()
    return f"answered {answered}" if answered else f"none of {bound}"


def own_listener(address, port):
    """A listener where what is denied is sent to: the program meets itself and nobody else."""
    with socket.create_server(("127.0.0.1", 9)), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(("127.0.0.1", 9))
        attempt("udp", address, port)
        return "met itself" if attempt("tcp", address, port) in ("connected", "silence") else "refused"


def take_port(kind, address, port):
    """A socket beside the daemon's own, or in its place: whatever comes there next might go to it."""
    s = opened(address, kind, 0, ((1, 2, 1), (1, 15, 1)), (address, port))  # SO_REUSEADDR, SO_REUSEPORT
    if kind == socket.SOCK_STREAM:
        s.listen()
    return "answered: it is ours"


def read_file(path):
    with open(path, "rb") as file:
        file.read(1)
    return "answered: it can be read"


def list_folder(path):
    os.listdir(path)
    return "answered: it can be listed"


def write_file(path, text):
    with open(path, "w") as file:
        file.write(text)
    return "answered: it can be written"


def signal_process(process, number):
    os.kill(process, number)
    return "answered: it was sent"


def system_call(number, *arguments):
    """One that gives a number of at least zero when it was done."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, *arguments) >= 0:
        return "answered: it was done"
    raise OSError(ctypes.get_errno(), "")


def taken_descriptor(process, descriptors):
    """Another process's socket, by pidfd_getfd(2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    handle = libc.syscall(434, process, 0)
    if handle < 0:
        raise OSError(ctypes.get_errno(), "")
    for number in range(descriptors):
        if libc.syscall(438, handle, number, 0) >= 0:
            return "answered: it was taken"
    return errno.errorcode[ctypes.get_errno()]


def command(*words):
    """A program that wants more than the workload may."""
    result = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return "answered: it was done" if result.returncode == 0 else "not permitted"


# Floods.

def many_sockets(count):
    """UDP sockets to denied ports, all at once open as far as the limit goes."""
    kept = []
    for i in range(count):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setblocking(False)
        try:
            s.connect((f"198.51.100.{200 + i % 50}", 1000 + i % 50000))
            s.send(MARK)
        except OSError:
            pass
        kept.append(s)
        if len(kept) > 900:
            kept.pop(0).close()
    return "sent"


def malformed(count):
    generator = random.Random(7)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setblocking(False)
    s.connect((RESOLVER, 53))
    for i in range(count):
        base = bytearray(question(f"x{i}.open.test"))
        if i % 3 == 0:
            base = bytearray(generator.randbytes(generator.randrange(600)))
        else:
            for _ in range(1 + i % 8):
                base[generator.randrange(len(base))] = generator.randrange(256)
        try:
            s.send(bytes(base) if i % 5 else bytes(base) + MARK)
        except OSError:
            pass
    return "sent"


# What takes CAP_NET_RAW.

def checksum(octets):
    octets += b"\0" * (len(octets) % 2)
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def datagram(source, destination, source_port, port, payload):
    body = struct.pack("!HHHH", source_port, port, 8 + len(payload), 0) + payload
    if ":" in source:
        pseudo = socket.inet_pton(10, source) + socket.inet_pton(10, destination) + struct.pack("!II", len(body), 17)
    else:
        pseudo = socket.inet_aton(source) + socket.inet_aton(destination) + struct.pack("!BBH", 0, 17, len(body))
    return body[:6] + struct.pack("!H", checksum(pseudo + body) or 0xffff) + body[8:]


def segment(source, destination, source_port, port, flags, payload=b""):
    body = struct.pack("!HHIIBBHHH", source_port, port, 1, 0, 0x50, flags, 1024, 0, 0) + payload
    pseudo = socket.inet_aton(source) + socket.inet_aton(destination) + struct.pack("!BBH", 0, 6, len(body))
    return body[:16] + struct.pack("!H", checksum(pseudo + body)) + body[18:]


def header(source, destination, protocol, length, fragment=0, words=5):
    return struct.pack("!BBHHHBBH4s4s", 0x40 | words, 0, 20 + length, 0x1234, fragment, 64, protocol, 0,
                       socket.inet_aton(source), socket.inet_aton(destination))


def raw(source, destination, protocol, body, options=(), fragment=0):
    s = opened("0.0.0.0", socket.SOCK_RAW, socket.IPPROTO_RAW, options)
    s.sendto(header(source, destination, protocol, len(body), fragment) + body, (destination, 0))
    return "sent"


def raw_tcp(destination, port, flags, source=POD, options=()):
    return raw(source, destination, 6, segment(source, destination, own_port(), port, flags, MARK), options)


def raw_udp(destination, port, source=POD, source_port=0, options=(), fragment=0):
    return raw(source, destination, 17, datagram(source, destination, source_port or own_port(), port, MARK), options, fragment)


def raw_icmp(destination, kind, options=(), quoted=None):
    """`quoted`: the flow that an ICMP error speaks of, [source port, destination, destination port]."""
    inner = MARK
    if quoted:
        inner = header(quoted[1], POD, 17, 24) + datagram(quoted[1], POD, quoted[2], quoted[0], MARK)
    body = struct.pack("!BBHHH", kind, 3 if quoted else 0, 0, 9, 1) + inner
    return raw(POD, destination, 1, body[:2] + struct.pack("!H", checksum(body)) + body[4:], options)


def raw_other(destination, protocol):
    return raw(POD, destination, protocol, MARK * 4)


def raw6(destination, protocol, octets, source="fd77::2", hop_limit=255):
    """IPv6 with a header of our own."""
    s = opened("::", socket.SOCK_RAW, socket.IPPROTO_RAW)
    body = bytes.fromhex(octets) + MARK
    s.sendto(struct.pack("!IHBB", 0x60000000, len(body), protocol, hop_limit) + socket.inet_pton(10, source) + socket.inet_pton(10, destination) + body,
             (destination, 0))
    return "sent"


def icmp6(destination, kind):
    """The kernel fills in the checksum of a raw ICMPv6 socket."""
    s = opened("::", socket.SOCK_RAW, 58, ((41, 16, 255),))  # IPV6_UNICAST_HOPS
    s.sendto(struct.pack("!BBHI", kind, 0, 0, 0) + socket.inet_pton(10, destination) + MARK, (destination, 0))
    return "sent"


def turned_round(denied, allowed, port):
    """A flow under a false source to an allowed address; then its "reply", under the allowed address, to the denied one. IPv6 needs no capability for it."""
    free = ((41, IPV6_FREEBIND, 1),)
    first = opened(allowed, socket.SOCK_DGRAM, 0, free, (denied, 40010))
    first.sendto(b"turn", (allowed, port))
    second = opened(denied, socket.SOCK_DGRAM, 0, free, (allowed, port))
    second.sendto(MARK, (denied, 40010))
    return "sent"


def turned_round4(denied, allowed, port):
    raw(denied, allowed, 17, datagram(denied, allowed, 40011, port, b"turn"))
    raw(allowed, denied, 17, datagram(allowed, denied, port, 40011, MARK))
    return "sent"


def own_ports(version, resolver):
    """The daemon's upstream sockets: everyone in the namespace may read this table."""
    peer = "".join(f"{struct.unpack('=I', socket.inet_pton(socket.AF_INET6 if version == 6 else socket.AF_INET, resolver)[i:i + 4])[0]:08X}"
                   for i in range(0, 16 if version == 6 else 4, 4))
    with open("/proc/net/udp6" if version == 6 else "/proc/net/udp") as table:
        return [int(line.split()[1].split(":")[1], 16) for line in table.readlines()[1:] if line.split()[2].startswith(peer + ":")]


def forged_answer(version, name, address, seconds):
    """Asks for an allowed name and answers it itself, in the resolver's name: a short name leaves 16 bits of identifier and its letters' case to guess."""
    resolver, pod = (RESOLVER6, "fd77::2") if version == 6 else (RESOLVER, POD)
    asking = socket.socket(family_of(resolver), socket.SOCK_DGRAM)
    asking.setblocking(False)
    asking.connect((resolver, 53))
    asking.send(question(name))
    time.sleep(0.1)
    ports = own_ports(version, resolver)
    if not ports:
        return "no socket to answer to"
    if version == 6:
        forging = opened(resolver, socket.SOCK_DGRAM, 0, ((41, IPV6_FREEBIND, 1),), (resolver, 53))
    else:
        forging = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    forging.setblocking(False)
    tail = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 300, 4) + socket.inet_aton(address)
    sent, end = 0, time.monotonic() + seconds
    for identifier in random.sample(range(65536), 65536):
        reply = struct.pack("!HHHHHH", identifier, 0x8180, 1, 1, 0, 0) + question(name)[12:] + tail
        for port in ports:
            try:
                if version == 6:
                    forging.sendto(reply, (pod, port))
                else:
                    forging.sendto(header(resolver, pod, 17, 8 + len(reply)) + datagram(resolver, pod, 53, port, reply), (pod, 0))
                sent += 1
            except OSError as error:
                return errno.errorcode.get(error.errno, str(error))
        if time.monotonic() > end:
            break
    time.sleep(0.2)
    try:
        answer = addresses(asking.recv(512))
    except OSError:
        answer = []
    return "answered" if address in answer else f"ignored {'some' if sent else 'none'}"


def as_user(user, name, *arguments):
    """The try under another uid, in a process of its own."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        try:
            os.setresuid(user, user, user)
            outcome = attempt(name, *arguments)
        except OSError as error:
            outcome = f"no such user: {error}"
        os.write(writing, json.dumps(outcome).encode())
        os._exit(0)
    os.close(writing)
    os.wait()
    return json.loads(os.read(reading, 65536))


def attempt(name, *arguments):
    try:
        return globals()[name](*arguments)
    except NoSocket as outcome:
        return str(outcome)
    except ConnectionRefusedError:
        return "refused"
    except PermissionError:
        return "not permitted"
    except (TimeoutError, socket.timeout):
        return "silence"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))


# The resolver outside.

def resolver(path):
    """`a-198-51-100-7.…` has that address, `six-7.…` has 2001:db8::7, `n12.…` one of 198.18/16, `alias-…` is an alias of `a-….cdn.test`, `private-N.…` an address of
    its own network. Anything with `slow-` before it comes a second late, and `never.…` never."""
    private = ["127.0.0.1", "169.254.169.254", "168.63.129.16", "10.96.0.1", "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "192.168.1.1", "172.16.0.1"]
    private6 = ["::1", "fd00::1", "fe80::1", "64:ff9b::a9fe:a9fe", "::ffff:198.51.100.66", "2002:a9fe:a9fe::1", "::", "ff02::1"]
    log = open(path, "a", buffering=1)

    def answer(octets):
        place, labels = 12, []
        while octets[place]:
            labels.append(octets[place + 1:place + 1 + octets[place]].decode("latin1").lower())
            place += octets[place] + 1
        kind = struct.unpack_from("!H", octets, place + 1)[0]
        name, first = ".".join(labels), labels[0].removeprefix("slow-")
        log.write(name + "\n")
        records, owner, alias = [], b"\xc0\x0c", first.startswith("alias-")
        address = None
        if name.startswith("hub."):
            address = "203.0.113.10"
        elif match := re.fullmatch(r"(?:a|alias|\w)-(\d+-\d+-\d+-\d+)(?:-\w+)?", first):
            address = match[1].replace("-", ".")
        elif match := re.fullmatch(r"n(\d+)", first):
            address = f"198.18.{1 + int(match[1]) // 250}.{1 + int(match[1]) % 250}"
        elif match := re.fullmatch(r"private-(\d+)", first):
            address = private[int(match[1]) % len(private)]
        elif first == "mixed":
            records += [struct.pack("!HHIH", 1, 1, 30, 4) + socket.inet_aton("10.0.0.5")]
            address = "198.51.100.40"
        if alias:
            target = b"".join(bytes([len(l)]) + l.encode() for l in (first.replace("alias", "a"), "cdn", "test")) + b"\0"
            records.append(struct.pack("!HHIH", 5, 1, 30, len(target)) + target)
        if kind == 1 and address:
            records.append(struct.pack("!HHIH", 1, 1, 30, 4) + socket.inet_aton(address))
        if kind == 28:
            six = f"2001:db8::{first[4:]}" if first.startswith("six-") else private6[int(first[8:]) % len(private6)] if first.startswith("private-") else None
            if six:
                records.append(struct.pack("!HHIH", 28, 1, 30, 16) + socket.inet_pton(10, six))
        body = b"".join((target if alias and i else owner) + record for i, record in enumerate(records))
        return labels[0], octets[:2] + struct.pack("!HHHHH", 0x8180, 1, len(records), 0, 0) + octets[12:place + 5] + body

    def serve(address):
        s = socket.socket(family_of(address), socket.SOCK_DGRAM)
        s.bind((address, 53))
        while True:
            octets, client = s.recvfrom(4096)
            try:
                first, reply = answer(octets)
            except (IndexError, struct.error, ValueError):
                log.write("unreadable\n")
                continue
            if first == "never" or len(first) == 1:
                continue
            threading.Timer(1.0, s.sendto, (reply, client)).start() if first.startswith("slow-") else s.sendto(reply, client)

    for address in (RESOLVER, RESOLVER6):
        threading.Thread(target=serve, args=(address,), daemon=True).start()
    listener = socket.create_server((RESOLVER, 53))       # whoever gets as far as this has escaped, unless it is the daemon
    print("ready", flush=True)
    while True:
        client, _ = listener.accept()
        octets = client.recv(4096)
        try:
            reply = answer(octets[2:])[1]
            client.sendall(struct.pack("!H", len(reply)) + reply)
        except (IndexError, struct.error, ValueError, OSError):
            pass
        client.close()


if __name__ == "__main__":
    if sys.argv[1] == "resolver":
        resolver(sys.argv[2])
    else:
        NEXT_PORT = int(sys.argv[2])
        for line in sys.stdin:
            print(json.dumps([attempt(*one) for one in json.loads(line)]), flush=True)
