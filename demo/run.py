"""`make demo`: the whole journey in one foreground process tree, from Python packages alone.

DEMO_PORT (default 8443) is the https port of all three addresses; DEMO_VERBOSE=1 shows what the parts print.
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
START_WITHIN = 90  # seconds for any one part: a first start compiles thousands of modules
USERS = (("alice", "alice-demo", "administers the hub"), ("bob", "bob-demo", "a student"))


class DemoError(Exception):
    """Why the demo cannot run, or go on: one sentence, and what the log had to say."""


def main() -> int:
    """Run until told to stop; leave nothing."""
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
            layout = parts.lay_out(folder, port)
            start(tree, layout, say, stop)
            if not stop.asked():
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
            tree.stop(hurry=stop.asked_again)
            shutil.rmtree(folder, ignore_errors=True)
            say("stopped, nothing left behind")
    return 0


def tell(text: str, stream: TextIO | None = None) -> None:
    """Print, if anyone still listens: a terminal that was closed must not keep the demo from tidying up."""
    with contextlib.suppress(OSError):
        print(text, file=stream or sys.stdout, flush=True)


def start(tree: Tree, layout: parts.Layout, say: Callable[[str], None], stop: "Stop") -> None:
    """Start every part and wait until each can serve."""
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
        say(f"{what} answers")
    trusted = ssl.create_default_context(cafile=str(layout.folder / "certs" / "server.pem"))
    for host, path in (("cas", "/healthz"), ("auth", "/healthz"), ("jupyter", "/hub/health")):
        wait_until(
            f"{host}.localhost through Traefik",
            partial(answers, layout.port, path, f"{host}.localhost", trusted),
            tree,
            stop,
        )
    say("all three addresses answer through Traefik")


class Stop:
    """What the user asked for by Ctrl-C or a signal: to stop, or, asked again, to stop at once."""

    def __init__(self) -> None:
        self._times = 0
        self._event = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, _number: int, _frame: object) -> None:
        self._times += 1
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Sleep, but not past the wish to stop."""
        return self._event.wait(seconds)

    def asked(self) -> bool:
        """Whether to stop."""
        return self._times > 0

    def asked_again(self) -> bool:
        """Whether to stop without waiting for anyone."""
        return self._times > 1


def public_port(text: str) -> int:
    """The https port, if it is free on loopback; browsers try IPv6 first, so another program there would win."""
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise DemoError(f"DEMO_PORT is {text!r}, which is no port: give a number from 1 to 65535.")
    port = int(text)
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((address, port))
        except PermissionError:
            raise DemoError(
                f"port {port} is for administrators only: choose one above 1023, e.g. DEMO_PORT=9443 make demo."
            ) from None
        except OSError:
            if family == socket.AF_INET6 and not has_ipv6_loopback():
                continue
            raise DemoError(
                f"port {port} is taken by another program: stop that, or choose another port, "
                "e.g. DEMO_PORT=9443 make demo."
            ) from None
    return port


def has_ipv6_loopback() -> bool:
    """Whether this machine has ::1 at all."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def wait_until(what: str, is_up: Callable[[], bool], tree: Tree, stop: Stop) -> None:
    """Wait for a part, but not if it or another one died, nor for ever."""
    deadline = time.monotonic() + START_WITHIN
    while not stop.asked() and not is_up():
        check_alive(tree)
        if time.monotonic() > deadline:
            raise DemoError(f"{what} did not answer within {START_WITHIN} s; DEMO_VERBOSE=1 make demo shows why.")
        stop.wait(0.1)


def check_alive(tree: Tree) -> None:
    """Give up as soon as any part is gone: the rest is no demo."""
    if gone := tree.ended():
        name, code = gone
        raise DemoError(f"{name} ended by itself (exit {code}). The end of its log:\n{tree.last_words(name)}")


def answers(port: int, path: str, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> bool:
    """Whether a part answers 200; with TLS, whether its certificate is ours and good for the host."""
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
    """Whether a demo's folder is this user's and no demo runs in it: the lock ends with the process."""
    try:
        if folder.stat().st_uid != os.getuid():
            return False
        with open(folder / LOCK) as lock:  # noqa: PTH123
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def welcome(layout: parts.Layout) -> str:
    """What to do now."""
    users = "\n".join(f"    {name:6} password {password:11} ({role})" for name, password, role in USERS)
    return f"""
  Open    {layout.public_url("jupyter")}
{users}

  The certificate is self-signed: browsers warn once for each of the three addresses (jupyter, auth, cas). Go on.
  Ctrl-C stops everything and removes every file of the demo.
"""


if __name__ == "__main__":
    sys.exit(main())
