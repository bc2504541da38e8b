"""The issuer's side for tests: keys, and tokens made by PyJWT, an implementation that has nothing of ours."""
import base64, json, os, pathlib, subprocess, sys, tempfile, time

from stage import OWNER_OBJECT, OWNER_TENANT, run

POD_UID = "0c4c1b3e-9d0f-4a53-8b7e-0f6f0f3d7a11"
ISSUER = "https://platform.example"
PACKAGES = ("pyjwt==2.10.1", "cryptography==44.0.0")
OTHER_OBJECT = "9e8d7c6b-5a49-4832-8716-0f1e2d3c4b5a"

# Signs one token a line: {"claims", "key": PEM or text, "algorithm", "headers"}.
SIGNER = r"""
import json, sys, jwt
from jwt.algorithms import RSAAlgorithm, ECAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
for line in sys.stdin:
    job = json.loads(line)
    if "jwk" in job:
        key = load_pem_private_key(job["jwk"].encode(), None).public_key()
        algorithm = ECAlgorithm if hasattr(key, "curve") else RSAAlgorithm
        print(json.dumps(algorithm.to_jwk(key, as_dict=True)), flush=True)
    elif "verify" in job:
        key = load_pem_private_key(job["key"].encode(), None).public_key()
        print(json.dumps(jwt.decode(job["verify"], key, algorithms=[job["algorithm"]], audience=job["audience"])), flush=True)
    else:
        print(json.dumps(jwt.encode(job["claims"], job["key"], job["algorithm"], job.get("headers"))), flush=True)
"""


class Issuer:
    """PyJWT in a virtual environment of its own, kept for all tests of a run."""
    _folder = None

    def __init__(self):
        if Issuer._folder is None:
            Issuer._folder = tempfile.TemporaryDirectory(prefix="sallyport-owners-")
            venv = pathlib.Path(Issuer._folder.name) / "venv"
            run(sys.executable, "-m", "venv", venv, timeout=120)
            run(venv / "bin" / "pip", "install", "-q", "--disable-pip-version-check", *PACKAGES, timeout=300)
        folder = pathlib.Path(Issuer._folder.name)
        self.process = subprocess.Popen([folder / "venv" / "bin" / "python", "-c", SIGNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.folder = folder
        self.keys = {}

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()

    def ask(self, **job):
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise AssertionError("PyJWT refused the job")
        return json.loads(answer)

    def key(self, name, kind="rsa:2048"):
        """The private key of that name as PEM, made when it is asked for first."""
        if name not in self.keys:
            path = self.folder / f"{name}-{len(self.keys)}.pem"
            options = ["-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{kind[4:]}"] if kind.startswith("rsa") else \
                ["-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{kind[3:]}"]
            run("openssl", "genpkey", *options, "-out", path)
            self.keys[name] = path.read_text()
        return self.keys[name]

    def jwks(self, *names):
        return json.dumps({"keys": [{**self.ask(jwk=self.keys[name]), "kid": name, "use": "sig"} for name in names]})

    def claims(self, object=OWNER_OBJECT, **changes):
        now = int(time.time())
        good = {"iss": ISSUER, "aud": "egress-sidecar", "sub": f"{OWNER_TENANT}/{object}", "pod_uid": POD_UID, "iat": now, "exp": now + 300,
                "jti": f"jti-{os.urandom(8).hex()}"}
        return {name: value for name, value in {**good, **changes}.items() if value is not None}

    def sign(self, claims, name="rsa", algorithm=None, headers=None, key=None):
        algorithm = algorithm or ("ES256" if "EC PRIV" in self.keys.get(name, "") or name.startswith("ec") else "RS256")
        headers = {"kid": name} if headers is None else headers
        return self.ask(claims=claims, key=key if key is not None else self.keys[name], algorithm=algorithm, headers=headers)

    def token(self, object=OWNER_OBJECT, name="rsa", **changes):
        return self.sign(self.claims(object, **changes), name)


def encode(value):
    octets = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


class Volume:
    """A directory as the kubelet fills it: files are links into `..data`, and a change swaps that link."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.path.mkdir(mode=0o755)
        self.path.chmod(0o755)
        self.version = 0

    def write(self, **files):
        """Replaces everything; names with `__` for a dot."""
        self.version += 1
        folder = self.path / f"..v{self.version}"
        folder.mkdir(mode=0o755)
        folder.chmod(0o755)
        names = {name.replace("__", "."): text for name, text in files.items()}
        for name, text in names.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o644)
        old = os.readlink(self.path / "..data") if (self.path / "..data").is_symlink() else None
        (self.path / "..data_tmp").symlink_to(folder.name)
        os.rename(self.path / "..data_tmp", self.path / "..data")
        for name in names:
            if not (self.path / name).is_symlink():
                (self.path / name).symlink_to(f"..data/{name}")
        for entry in self.path.iterdir():
            if entry.is_symlink() and not entry.name.startswith("..") and entry.name not in names:
                entry.unlink()
        if old:
            for entry in (self.path / old).iterdir():
                entry.unlink()
            (self.path / old).rmdir()
        return self
