"""A token endpoint such as Microsoft Entra's, over HTTPS, for one tenant: notes each request as it came, and answers as it is told.

FOLDER/authority.json is read for each request: {"lifetime": seconds, "text": lifetime as text, "status": …, "headers": …, "body": …, "hang": true, "keep": true}.
Each issued token is new and goes to FOLDER/hub.token, which the hub reads, unless "keep"; requests go to FOLDER/authority.ndjson."""
import base64, http.server, json, os, pathlib, secrets, ssl, sys, threading, time


def serve(folder, address, port):
    lock = threading.Lock()

    class Endpoint(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            plan = json.loads((folder / "authority.json").read_text())
            issued = secrets.token_urlsafe(24)
            with lock, open(folder / "authority.ndjson", "a") as log:
                log.write(json.dumps({"at": time.monotonic(), "line": self.requestline, "headers": [[k, v] for k, v in self.headers.items()],
                                      "body": base64.b64encode(body).decode(), "issued": issued, "plan": plan}) + "\n")
            if plan.get("hang"):
                time.sleep(plan["hang"])
                self.close_connection = True
                return
            status, headers = plan.get("status", 200), plan.get("headers", {})
            answer = plan.get("body")
            if answer is None:
                lifetime = plan.get("lifetime", 3600)
                answer = {"token_type": "Bearer", "expires_in": str(lifetime) if plan.get("text") else lifetime, "ext_expires_in": lifetime, "access_token": issued}
                if not plan.get("keep"):
                    replace(folder / "hub.token", issued)
            octets = json.dumps(answer).encode() if not isinstance(answer, str) else answer.encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(octets)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(octets)

        def log_message(self, *arguments):
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request, client):
            pass

        def finish_request(self, request, client):        # the handshake in the connection's thread, not in accept
            request.settimeout(30)
            with context.wrap_socket(request, server_side=True) as secure:
                self.RequestHandlerClass(secure, client, self)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    Server((address, port), Endpoint).serve_forever()


def replace(path, text):
    """The new text or the old one, never half of it."""
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    os.rename(new, path)


class Authority:
    """The endpoint in a lab's outside world."""
    NAME, ADDRESS, PORT = "login.example.test", "203.0.113.20", 8444
    URL = f"https://{NAME}:{PORT}/"
    ZONE = f"login.example A {ADDRESS}\n"

    def __init__(self, lab):
        self.lab = lab
        self.answer()
        self.start()

    def start(self):
        self.process = self.lab.start(sys.executable, __file__, self.lab.folder, self.ADDRESS, self.PORT, namespace=self.lab.outside, log="authority.log")
        from stage import wait_for
        wait_for("the authority listens", lambda: str(self.PORT) in self.lab.inside(self.lab.outside, "ss", "-Hltn", f"src {self.ADDRESS}").stdout)

    def stop(self):
        self.process.kill()
        self.process.wait(5)

    def answer(self, **plan):
        replace(self.lab.folder / "authority.json", json.dumps(plan))

    @property
    def requests(self):
        path = self.lab.folder / "authority.ndjson"
        if not path.exists():
            return []
        return [{**r, "body": base64.b64decode(r["body"])} for r in map(json.loads, path.read_text().split("\n")[:-1])]


if __name__ == "__main__":
    serve(pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
