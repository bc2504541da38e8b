/// Python run in the two namespaces: servers that say who answered, and programs that try to reach them.
enum PacketScript {
  /// TCP and UDP echo on each `ADDRESS PORT` of the arguments; a UDP answer comes from the address that was asked. TCP that reads `push` sends for ever. As the user `SERVE_AS`. Prints `ready` when all of them listen.
  static let servers = """
    import os, socket, sys, threading, time
    os.setuid(int(os.environ.get('SERVE_AS', '0')))
    def family(a): return socket.AF_INET6 if ':' in a else socket.AF_INET
    def talk(c, port):
        try:
            while True:
                data = c.recv(4096)
                if not data: break
                c.sendall(b'tcp%d:' % port + data)
                while data == b'push':
                    time.sleep(0.05); c.sendall(b'x')
        except OSError: pass
        c.close()
    def bound(a, port, kind):
        s = socket.socket(family(a), kind)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        end = time.monotonic() + 10
        while True:                      # an IPv6 address cannot be bound while the kernel looks for its double
            try: s.bind((a, port)); return s
            except OSError:
                if time.monotonic() > end: raise
                time.sleep(0.01)
    def tcp(s, port):
        while True: threading.Thread(target=talk, args=(s.accept()[0], port), daemon=True).start()
    def udp(s, port):
        while True:
            data, peer = s.recvfrom(4096); s.sendto(b'udp%d:' % port + data, peer)
    for a, port in zip(sys.argv[1::2], map(int, sys.argv[2::2])):
        stream, datagrams = bound(a, port, socket.SOCK_STREAM), bound(a, port, socket.SOCK_DGRAM)
        stream.listen(50)
        for kind, s in (tcp, stream), (udp, datagrams): threading.Thread(target=kind, args=(s, port), daemon=True).start()
    print('ready', flush=True)
    threading.Event().wait()
    """

  /// Reads `PROTOCOL ADDRESS PORT UID MARK SOURCE-PORT` lines (`-` for none) and says what each try came to.
  static let tries = """
    import ctypes, socket, sys
    def attempt(kind, address, port, uid, mark, source):
        ctypes.CDLL(None).setfsuid(int(uid) if uid != '-' else 0)
        s = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET,
                          socket.SOCK_STREAM if kind == 'tcp' else socket.SOCK_DGRAM)
        s.settimeout(0.7)
        try:
            if mark != '-': s.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, int(mark))
            if source != '-': s.bind(('', int(source)))
            s.connect((address, int(port))); s.send(b'hi')
            return s.recv(100).decode()
        except ConnectionRefusedError: return 'refused'
        except (TimeoutError, socket.timeout): return 'silence'
        except OSError as error: return str(error)
        finally: s.close()
    for line in sys.stdin:
        print(attempt(*line.split()), flush=True)
    """

  /// One ICMP echo to the address of the argument; ends well when it is answered.
  static let ping = """
    import socket, sys
    six = ':' in sys.argv[1]
    s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_RAW,
                      socket.getprotobyname('ipv6-icmp') if six else socket.IPPROTO_ICMP)
    s.settimeout(1); s.connect((sys.argv[1], 0))
    body = bytes([128 if six else 8, 0, 0, 0, 7, 7, 0, 1])
    total = sum(body[i] << 8 | body[i + 1] for i in range(0, 8, 2))
    total = ~((total & 0xffff) + (total >> 16)) & 0xffff
    s.send(body if six else body[:2] + bytes([total >> 8, total & 255]) + body[4:])
    while True:
        answer = s.recv(200)
        if (answer[0] if six else answer[20]) == (129 if six else 0): break
    """

  /// Opens a flow, reads lines: `send` writes and says what came back, `listen` says whether anything arrives within half a second.
  static let flow = """
    import socket, sys
    s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)
    for line in sys.stdin:
        word = line.strip()
        try:
            if word == 'listen':
                s.settimeout(0.5)
                while s.recv(65536): s.settimeout(0.5)
                print('closed', flush=True)
            else:
                s.settimeout(1.5); s.sendall(word.encode()); print(s.recv(100).decode(), flush=True)
        except ConnectionResetError: print('reset', flush=True)
        except (TimeoutError, socket.timeout): print('silence', flush=True)
        except OSError as error: print(error, flush=True)
    """
}
