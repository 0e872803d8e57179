"""`make demo`: the whole system as one foreground process tree, from Python packages only.

DEMO_PORT (default 8443) is the https port of all hosts; DEMO_VERBOSE=1 shows the output of the parts. DEMO_DOMAIN
(default localhost) is the end of their names, and DEMO_LAB_HOST (default *.labs.localhost) is the setting LAB_HOST.
"""

import contextlib
import fcntl
import http.client
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TextIO

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from demo import parts
from demo.processes import Tree, remove_leftovers

FOLDER_PREFIX = "passerelle-demo-"
LOCK = "running"
START_WITHIN = 90  # seconds for each part; the first start compiles thousands of modules
USERS = (("alice", "alice-demo", "administers the hub"), ("bob", "bob-demo", "a student"))


class DemoError(Exception):
    """A failure of the demo; the message includes the end of the log."""


def main() -> int:
    """Run until a signal, then remove everything."""
    began = time.monotonic()
    stop = Stop()

    def say(line: str) -> None:
        tell(f"{time.monotonic() - began:6.1f} s  {line}")

    try:
        port = public_port(os.environ.get("DEMO_PORT") or "8443")
    except DemoError as fault:
        print(f"make demo: {fault}", file=sys.stderr)
        return 1
    remove_leftovers(Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*"), is_abandoned)
    folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
    with open(folder / LOCK, "w") as lock:  # noqa: PTH123
        fcntl.flock(lock, fcntl.LOCK_EX)
        tree = Tree(None if os.environ.get("DEMO_VERBOSE") == "1" else folder / "logs")
        try:
            domain = os.environ.get("DEMO_DOMAIN") or "localhost"
            lab_host = os.environ.get("DEMO_LAB_HOST", f"*.labs.{domain}")
            layout = parts.lay_out(folder, port, domain=domain, lab_host=lab_host)
            start(tree, layout, say, stop)
            if not stop.is_requested():
                say("ready")
                tell(welcome(layout))
            while not stop.wait(1):
                check_alive(tree)
                tree.reap()
        except DemoError as fault:
            tell(f"make demo: {fault}", sys.stderr)
            return 1
        finally:
            say("stopping")
            tree.stop(hurry=stop.is_immediate)
            shutil.rmtree(folder, ignore_errors=True)
            say("stopped, everything removed")
    return 0


def tell(text: str, stream: TextIO | None = None) -> None:
    """Print, and ignore a closed terminal, so that the clean-up continues."""
    with contextlib.suppress(OSError):
        print(text, file=stream or sys.stdout, flush=True)


def start(tree: Tree, layout: parts.Layout, say: Callable[[str], None], stop: "Stop") -> None:
    """Start every part and wait until it is ready."""
    for name in ("tmp", "home", "logs", "dynamic", "hub", "homes"):
        (layout.folder / name).mkdir()
    prepare = parts.prepare(layout)
    done = subprocess.run(prepare.argv, env=prepare.env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DemoError(done.stderr.strip())
    say("secrets and a self-signed certificate made")
    for part in (parts.traefik(layout), parts.cas(layout), parts.bridge(layout), parts.hub(layout)):
        tree.start(part)
    say("started Traefik, the CAS server, the bridge and the hub")
    for what, port, path in (
        ("Traefik", layout.api_port, "/ping"),
        ("the CAS server", layout.cas_port, "/healthz"),
        ("the bridge", layout.bridge_port, "/readyz"),
        ("the hub", layout.hub_port, "/hub/health"),
    ):
        wait_until(what, partial(answers, port, path), tree, stop)
        say(f"{what} is ready")
    trusted = ssl.create_default_context(cafile=str(layout.folder / "certs" / "server.pem"))
    for name, path in (("cas", "/healthz"), ("auth", "/healthz"), ("jupyter", "/hub/health")):
        wait_until(
            f"{layout.host(name)} through Traefik",
            partial(answers, layout.port, path, layout.host(name), trusted),
            tree,
            stop,
        )
    say("all three hosts are ready through Traefik")


class Stop:
    """Stop requests by Ctrl-C or a signal: the second one stops immediately."""

    def __init__(self) -> None:
        self._times = 0
        self._event = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, _number: int, _frame: object) -> None:
        self._times += 1
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Sleep, or return early after a stop request."""
        return self._event.wait(seconds)

    def is_requested(self) -> bool:
        """Return whether a stop was requested."""
        return self._times > 0

    def is_immediate(self) -> bool:
        """Return whether an immediate stop was requested."""
        return self._times > 1


def public_port(text: str) -> int:
    """Return the https port after checking that it is free, also on IPv6, which browsers try first."""
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise DemoError(f"DEMO_PORT is {text!r}, which is not a port: use a number from 1 to 65535.")
    port = int(text)
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((address, port))
        except PermissionError:
            raise DemoError(
                f"port {port} requires administrator rights: use a port above 1023, e.g. DEMO_PORT=9443 make demo."
            ) from None
        except OSError:
            if family == socket.AF_INET6 and not has_ipv6_loopback():
                continue
            raise DemoError(
                f"port {port} is in use by another program: stop it, or choose another port, "
                "e.g. DEMO_PORT=9443 make demo."
            ) from None
    return port


def has_ipv6_loopback() -> bool:
    """Return whether this machine has ::1."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def wait_until(what: str, is_up: Callable[[], bool], tree: Tree, stop: Stop) -> None:
    """Wait for a part; raise DemoError after a timeout or when a part has ended."""
    deadline = time.monotonic() + START_WITHIN
    while not stop.is_requested() and not is_up():
        check_alive(tree)
        if time.monotonic() > deadline:
            raise DemoError(f"{what} was not ready within {START_WITHIN} s; DEMO_VERBOSE=1 make demo shows its output.")
        stop.wait(0.1)


def check_alive(tree: Tree) -> None:
    """Raise DemoError if a part has ended."""
    if gone := tree.ended():
        name, code = gone
        raise DemoError(f"{name} ended unexpectedly (exit {code}). The end of its log:\n{tree.last_log_lines(name)}")


def answers(port: int, path: str, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> bool:
    """Return whether a part responds 200; with TLS, verify its certificate for the host."""
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.sock = socket.create_connection(("127.0.0.1", port), timeout=5)
        if tls:
            connection.sock = tls.wrap_socket(connection.sock, server_hostname=host)
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def is_abandoned(folder: Path) -> bool:
    """Return whether a demo's folder belongs to this user and no running demo holds its lock."""
    try:
        if folder.stat().st_uid != os.getuid():
            return False
        with open(folder / LOCK) as lock:  # noqa: PTH123
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def welcome(layout: parts.Layout) -> str:
    """Return the instructions for the user."""
    users = "\n".join(f"    {name:6} password {password:11} ({role})" for name, password, role in USERS)
    return f"""
  Open    {layout.public_url("jupyter")}
{users}

  The certificate is self-signed: browsers warn once for each address (jupyter, auth, cas, your lab). Go on.
  Ctrl-C stops everything and removes every file of the demo.
"""


if __name__ == "__main__":
    sys.exit(main())
