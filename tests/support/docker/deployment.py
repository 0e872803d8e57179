"""A compose deployment of a clean clone, under its own project name."""

import hashlib
import http.client
import json
import os
import random
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path

COMPOSE = "com.docker.compose"  # prefix of the labels of compose
REMOVE_ATTEMPTS = 20
PORTS = range(20_000, 32_000)  # below those that Linux gives to connections
ROOT = Path(__file__).resolve().parents[3]
UP_WITHIN = 900  # seconds; the first build downloads packages


@dataclass(frozen=True)
class Response:
    """An HTTP response."""

    status: int
    headers: http.client.HTTPMessage
    body: str


@dataclass
class Deployment:
    """One compose project in one folder."""

    folder: Path
    project: str
    http_port: int = 80
    https_port: int = 443
    seconds: dict[str, float] = field(default_factory=dict)
    lab_domain: str = "labs.localhost"

    def lab_host(self, user: str) -> str:
        """Return the host of a user's lab."""
        return f"{user}.{self.lab_domain}"

    def url(self, host: str, path: str = "/") -> str:
        """Return a public URL."""
        return f"https://{host}{'' if self.https_port == 443 else f':{self.https_port}'}{path}"

    def environment(self, changed: dict[str, str] | None = None) -> dict[str, str]:
        """Return the environment of compose, without compose settings of the caller."""
        kept = {name: text for name, text in os.environ.items() if not name.startswith("COMPOSE_")}
        ports = {} if self.https_port == 443 else {"HTTPS_PORT": str(self.https_port)}
        ports |= {} if self.http_port == 80 else {"HTTP_PORT": str(self.http_port)}
        own = {"COMPOSE_PROJECT_NAME": self.project, "LAB_SUBNET_PREFIX": self.subnet_prefix}
        return kept | own | ports | (changed or {})

    @cached_property
    def subnet_prefix(self) -> str:
        """Return the first two numbers of a subnet that no network of the engine has."""
        names = subprocess.run(
            ["docker", "network", "ls", "--quiet"], capture_output=True, text=True, check=True
        ).stdout
        used = subprocess.run(
            ["docker", "network", "inspect", "--format", "{{.IPAM.Config}}", *names.split()],
            capture_output=True,
            text=True,
            check=False,  # another test may remove a network meanwhile
        ).stdout
        return next(
            prefix
            for prefix in random.sample([f"10.{number}" for number in range(128, 250)], 100)
            if f"{{{prefix}." not in used
        )

    def compose(
        self, *arguments: str, check: bool = True, changed: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `docker compose …` in the clone."""
        return self._run("docker", "compose", *arguments, check=check, changed=changed)

    def docker(self, *arguments: str, check: bool = True) -> str:
        """Run `docker …` and return what it printed."""
        return self._run("docker", *arguments, check=check).stdout.strip()

    def _run(
        self, *command: str, check: bool, changed: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(changed),
            capture_output=True,
            text=True,
            timeout=UP_WITHIN,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(
                f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}\n{self.logs()}"
            )
        return done

    def logs(self) -> str:
        """Return the logs of all services and labs."""
        said = self._run("docker", "compose", "logs", "--no-color", "--tail", "80", check=False)
        labs = [
            f"── {lab}\n{self._run('docker', 'logs', '--tail', '40', lab, check=False).stderr}" for lab in self.labs()
        ]
        return "\n".join([said.stdout, said.stderr, *labs])

    def container(self, service: str) -> str:
        """Return the container id of a service, running or exited; polled, and compose is slower than the engine."""
        labels = {"project": self.project, "service": service, "oneoff": "False"}
        filters = [part for name, text in labels.items() for part in ("--filter", f"label={COMPOSE}.{name}={text}")]
        return self.docker("ps", "--all", "--quiet", "--no-trunc", *filters)

    def state(self, service: str) -> str:
        """Return the state of a service, for example `running healthy` or `exited 0`."""
        template = "{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.ExitCode}}{{end}}"
        return self.docker("inspect", "--format", template, self.container(service))

    def labs(self) -> list[str]:
        """Return the names of the running labs' containers."""
        label = f"label={COMPOSE}.project={self.project}-labs"
        names = self._run("docker", "ps", "--filter", label, "--format", "{{.Names}}", check=False)
        return names.stdout.split()

    def lab_id(self, user: str) -> str:
        """Return the container id of a user's lab."""
        return self.docker("inspect", "--format", "{{.Id}}", f"{self.project}-lab-{user}")

    def reachable_from_lab(self, user: str, addresses: dict[str, str]) -> set[str]:
        """Return the names of the addresses (name: host:port) that accept a connection from a user's lab."""
        code = (
            "import socket, sys\n"
            "from concurrent.futures import ThreadPoolExecutor\n"
            "def is_open(address):\n"
            "    host, port = address.rsplit(':', 1)\n"
            "    try: socket.create_connection((host, int(port)), 3).close()\n"
            "    except OSError: return False\n"
            "    return True\n"
            "with ThreadPoolExecutor(50) as pool:\n"
            "    print(*map(int, pool.map(is_open, sys.argv[1:])))"
        )
        said = self.docker("exec", f"{self.project}-lab-{user}", "python3", "-c", code, *addresses.values())
        return {name for name, opened in zip(addresses, said.split(), strict=True) if opened == "1"}

    def query_hub_database(self, query: str) -> list[tuple[str, ...]]:
        """Return the rows of a query on the hub's database."""
        code = (
            "import json, sqlite3, sys\n"
            "print(json.dumps(sqlite3.connect('/data/jupyterhub.sqlite').execute(sys.argv[1]).fetchall()))"
        )
        answer = self.docker("exec", self.container("hub"), "python", "-c", code, query)
        return [tuple(row) for row in json.loads(answer)]

    def started_at(self, service: str) -> float:
        """Return the last start of a service's container, in seconds since the epoch."""
        text = self.docker("inspect", "--format", "{{.State.StartedAt}}", self.container(service))
        return datetime.fromisoformat(text).timestamp()

    def wait(self, is_true: Callable[[], bool], what: str, seconds: float = 60) -> None:
        """Poll until a condition holds."""
        deadline = time.monotonic() + seconds
        while not is_true():
            if time.monotonic() > deadline:
                raise AssertionError(f"no {what} within {seconds:.0f} s\n{self.logs()}")
            time.sleep(0.2)

    def remove_volume(self, name: str) -> None:
        """Remove a volume; retry while the hub measures it."""
        self.wait(lambda: self._run("docker", "volume", "rm", name, check=False).returncode == 0, f"removal of {name}")

    def get(self, host: str, path: str = "/", *, plain: bool = False) -> Response:
        """Send a GET request to the edge; the resolver of the machine need not know *.localhost."""
        connection: http.client.HTTPConnection
        if plain:
            connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=10)
        else:
            connection = http.client.HTTPSConnection(
                "127.0.0.1", self.https_port, timeout=10, context=_unverified_context()
            )
        try:
            connection.request("GET", path, headers={"Host": host})
            response = connection.getresponse()
            return Response(response.status, response.headers, response.read().decode(errors="replace"))
        finally:
            connection.close()

    def fingerprint(self, host: str) -> str:
        """Return the SHA-256 fingerprint of the served certificate."""
        with (
            socket.create_connection(("127.0.0.1", self.https_port), timeout=10) as plain,
            _unverified_context().wrap_socket(plain, server_hostname=host) as secured,
        ):
            certificate = secured.getpeercert(binary_form=True)
        assert certificate
        return hashlib.sha256(certificate).hexdigest()

    def remove(self) -> None:
        """Remove labs, services, networks, volumes and images."""
        self.compose("-p", f"{self.project}-labs", "down", "--timeout", "1", check=False)
        self.compose("rm", "--force", "--stop", "firewall", check=False)
        self.compose("run", "--rm", "--no-deps", "firewall", "remove", check=False)
        self.compose("down", "--timeout", "1", "--volumes", "--remove-orphans", "--rmi", "local", check=False)
        # A hub that stops during a quota measurement leaves its container, which uses the home volume.
        left = self.docker(
            "ps", "--all", "--quiet", "--filter", f"label=org.passerelle.tool={self.project}", check=False
        )
        if left:
            self.docker("rm", "--force", *left.split(), check=False)
        for kind in ("volume", "network"):
            # A busy engine reports a volume as in use for a moment after its container is gone.
            for _ in range(REMOVE_ATTEMPTS):
                names = self.docker(kind, "ls", "--quiet", "--filter", f"name={self.project}", check=False)
                if not names:
                    break
                self.docker(kind, "rm", *names.split(), check=False)
                time.sleep(0.5)
        for image in ("bridge", "lab", "hub", "egress-proxy"):
            self.docker("image", "rm", f"{self.project}-{image}", check=False)


def clean_clone(folder: Path) -> Path:
    """Copy the work tree, as a clone would contain it if it were committed now."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def free_port(wanted: int) -> int:
    """Return this port if it is free, else one that the system does not give to a connection before its use."""
    for port in (wanted or random.choice(PORTS), *random.sample(PORTS, 50)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise AssertionError("no free port on this machine")


def _unverified_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
