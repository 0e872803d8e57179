"""A running `make demo`, started as a user starts it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[3]
GONE_WITHIN = 45


@dataclass
class Demo:
    """A running demo and its output."""

    process: subprocess.Popen[str]
    port: int
    temporary: Path
    printed: list[str]
    domain: str = "localhost"

    @property
    def hub_url(self) -> str:
        return self.url("jupyter")

    def url(self, name: str) -> str:
        """Return a public URL, without a slash at the end."""
        return f"https://{name}.{self.domain}:{self.port}"

    def tree(self) -> list[psutil.Process]:
        one = psutil.Process(self.process.pid)
        return [one, *one.children(recursive=True)]

    def read_until(self, text: str) -> None:
        """Read the output up to a line with this text."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.printed.append(line)
            if text in line:
                return
        raise AssertionError(f"the demo ended before it printed {text!r}:\n{''.join(self.printed)}")

    @property
    def folder(self) -> Path:
        """Return the folder with the data of the demo."""
        (folder,) = self.temporary.glob("passerelle-demo-*")
        return folder

    def tokens_with_note(self, note: str) -> int:
        """Return the number of API tokens of the hub with this note."""
        with contextlib.closing(sqlite3.connect(self.folder / "hub" / "jupyterhub.sqlite")) as hub:
            (count,) = hub.execute("SELECT count(*) FROM api_tokens WHERE note = ?", (note,)).fetchone()
        return int(count)

    def get(self, host: str, path: str) -> HTTPResponse:
        """Send one request without the browser."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = HTTPConnection(f"{host}.{self.domain}", self.port, timeout=10)
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        with context.wrap_socket(plain, server_hostname=f"{host}.{self.domain}") as connection.sock:
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            return response


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def launch(port: int, temporary: Path, **extra: str) -> Demo:
    """Start the demo as `make demo` does, with environment variables that it must not pass on."""
    foreign = {
        "PASSERELLE_ISSUER": "https://stray.example.org",
        "PASSERELLE_NONSENSE": "1",
        "JUPYTERHUB_API_TOKEN": "x",
    }
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "demo" / "run.py")],
        env=os.environ | foreign | {"DEMO_PORT": str(port), "TMPDIR": str(temporary)} | extra,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    return Demo(process, port, temporary, [], extra.get("DEMO_DOMAIN", "localhost"))


def end(demo: Demo) -> None:
    """Stop all processes of the tree."""
    if demo.process.poll() is None:
        demo.process.send_signal(signal.SIGTERM)
        try:
            demo.process.wait(GONE_WITHIN)
        except subprocess.TimeoutExpired:
            for process in reversed(demo.tree()):
                process.kill()
    if demo.process.stdout:
        demo.process.stdout.close()


@contextlib.contextmanager
def running_demo(folder: Path, **extra: str) -> Iterator[Demo]:
    demo = launch(free_port(), folder, **extra)
    try:
        demo.read_until("removes every file")
        yield demo
    finally:
        end(demo)
