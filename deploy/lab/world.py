"""The servers outside the pod: HTTPS on 443 (with a slow download), HTTP on 80, TCP and UDP echo on 7000. Writes `world.ready`."""
import http.server, pathlib, socket, socketserver, ssl, sys, threading, time

folder = pathlib.Path(sys.argv[1])


class Page(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path.startswith("/slow"):                 # a download that goes on until it is cut: 64 KiB every 50 ms
            self.send_response(200)
            self.send_header("Content-Length", str(1 << 30))
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"." * 65536)
                    time.sleep(0.05)
            except OSError:
                self.close_connection = True
            return
        body = f"hello from {self.headers.get('Host', '?')}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, address, handler, family=socket.AF_INET):
        self.address_family = family
        super().__init__(address, handler)

    def handle_error(self, request, client):
        pass


class TLSServer(Server):
    def __init__(self, address, handler, context, family=socket.AF_INET):
        self.context = context
        super().__init__(address, handler, family)

    def finish_request(self, request, client):            # the handshake in the connection's thread, not in accept
        request.settimeout(20)
        with self.context.wrap_socket(request, server_side=True) as secure:
            self.RequestHandlerClass(secure, client, self)


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        try:
            while data := self.request.recv(65536):
                if data.startswith(b"push"):              # from now on the server alone talks
                    while True:
                        self.request.sendall(b"p" * 1000)
                        time.sleep(0.02)
                self.request.sendall(data)
        except OSError:
            pass


class EchoServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 1024

    def handle_error(self, request, client):
        pass


class EchoServer6(EchoServer):
    address_family = socket.AF_INET6


def datagrams(family):
    s = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        s.setsockopt(socket.IPPROTO_IPV6, 49, 1)          # IPV6_RECVPKTINFO: answer from the address that was asked
    else:
        s.setsockopt(socket.IPPROTO_IP, 8, 1)             # IP_PKTINFO
    s.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", 7000))
    while True:
        data, extra, _, client = s.recvmsg(65536, 256)
        try:
            s.sendmsg([data], [(level, kind, value) for level, kind, value in extra], 0, client)
        except OSError:
            pass


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(folder / "server.pem", folder / "server.key")
servers = []
for address in ("198.51.100.10", "198.51.100.20", "198.51.100.30", "198.51.100.40", "198.51.100.41", "198.51.100.50", "198.51.100.60", "198.51.100.70"):
    servers.append(TLSServer((address, 443), Page, context))
    servers.append(Server((address, 80), Page))
for address in ("2001:db8::10", "2001:db8::70"):
    servers.append(TLSServer((address, 443), Page, context, socket.AF_INET6))
servers.append(EchoServer(("0.0.0.0", 7000), Echo))
servers.append(EchoServer6(("2001:db8::10", 7000), Echo))
for server in servers:
    threading.Thread(target=server.serve_forever, daemon=True).start()
for family in (socket.AF_INET, socket.AF_INET6):
    threading.Thread(target=datagrams, args=(family,), daemon=True).start()
(folder / "world.ready").write_text("ready\n")
threading.Event().wait()
