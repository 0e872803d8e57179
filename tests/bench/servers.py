"""The servers of a measurement: the scripted CAS and the bridge."""

from __future__ import annotations

import json
import os
import re
import secrets
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.bench.process_tree import ProcessTree

ROOT = Path(__file__).resolve().parents[2]
ISSUER = "https://auth.localhost"
CLIENT_ID = "jupyterhub"
REDIRECT_URI = "https://jupyter.localhost/hub/oauth_callback"
START_SECONDS = 60
STOP_SECONDS = 15


class CannotMeasureError(Exception):
    """A missing requirement, with its remedy."""


@dataclass(frozen=True)
class Addresses:
    """Addresses of the bridge and of CAS on loopback."""

    bridge: str
    cas: str


@dataclass(frozen=True)
class Installation:
    """A folder with the database, secrets and log of a bridge, kept between starts."""

    folder: Path
    cas_url: str
    client_secret: str

    @classmethod
    def new(cls, folder: Path, cas_url: str) -> Installation:
        folder.mkdir(mode=0o700)
        client_secret = secrets.token_urlsafe(32)
        for name, secret in (("client_secret", client_secret), ("secret_key", secrets.token_hex(32))):
            (folder / name).write_text(secret)
        return cls(folder, cas_url, client_secret)

    @property
    def log(self) -> Path:
        return self.folder / "bridge.log"

    def end_of_log(self) -> str:
        return _end_of(self.log)

    def environment(self, port: int) -> dict[str, str]:
        """Return the environment of compose, without PASSERELLE_* settings of the caller."""
        client = {
            "client_id": CLIENT_ID,
            "client_name": "JupyterHub",
            "client_secret_file": str(self.folder / "client_secret"),
            "redirect_uris": [REDIRECT_URI],
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PASSERELLE_")}
        return kept | {
            "PASSERELLE_ISSUER": ISSUER,
            "PASSERELLE_CAS_URL": self.cas_url,
            "PASSERELLE_DATABASE_URL": f"sqlite:///{self.folder / 'bridge.sqlite3'}",
            "PASSERELLE_SECRET_KEY_FILE": str(self.folder / "secret_key"),
            "PASSERELLE_CLIENTS": json.dumps([client]),
            "PASSERELLE_BIND": f"127.0.0.1:{port}",
        }


@dataclass(frozen=True)
class RunningBridge:
    """A bridge that is ready."""

    url: str
    tree: ProcessTree
    ready_seconds: float
    """From exec to the line on stdout."""
    ready_cpu_seconds: float


@contextmanager
def running_cas(folder: Path) -> Iterator[str]:
    """Run the scripted CAS in another process; yield its base URL."""
    command = [sys.executable, "-m", "tests.support.cas.scripted_cas", "--port", "0"]
    with _running(command, dict(os.environ), folder / "cas.log") as process:
        found = re.search(r"http://127\.0\.0\.1:\d+\S*", _first_line(process, "The scripted CAS", folder / "cas.log"))
        if found is None:
            raise CannotMeasureError(
                "The scripted CAS did not say where it listens; see tests/support/cas/scripted_cas.py."
            )
        yield found[0]


@contextmanager
def running_bridge(installation: Installation, extra_environment: Mapping[str, str]) -> Iterator[RunningBridge]:
    """Run `passerelle serve` inside a `with` block."""
    command = Path(sys.executable).with_name("passerelle")
    if not command.exists():
        raise CannotMeasureError(f"There is no passerelle beside {sys.executable}. Run `make init`, then `make bench`.")
    port = _free_port()
    environment = {**installation.environment(port), **extra_environment}
    began = time.perf_counter()
    with _running([str(command), "serve"], environment, installation.log) as process:
        _first_line(process, "passerelle serve", installation.log)
        ready_seconds = time.perf_counter() - began
        tree = ProcessTree(process.pid)
        yield RunningBridge(f"http://127.0.0.1:{port}", tree, ready_seconds, tree.cpu_seconds())


@contextmanager
def _running(command: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[str]]:
    with log.open("a") as stderr:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True, bufsize=1
        )
    try:
        yield process
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[str]) -> None:
    """Terminate a process; after a timeout kill it and its descendants by pid."""
    tree = ProcessTree(process.pid).pids() if process.poll() is None else []
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        for pid in tree:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(STOP_SECONDS)
    if process.stdout:
        process.stdout.close()


def _first_line(process: subprocess.Popen[str], name: str, log: Path) -> str:
    stdout: IO[str] | None = process.stdout
    if stdout is None:
        raise TypeError("started without a pipe")
    readable, _, _ = select.select([stdout], [], [], START_SECONDS)
    if readable and (line := stdout.readline()):
        return line
    raise CannotMeasureError(f"{name} did not start within {START_SECONDS} s. The end of its log:\n{_end_of(log)}")


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
