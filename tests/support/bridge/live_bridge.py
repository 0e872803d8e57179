"""A bridge process: `passerelle serve` on loopback."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

# TESTED_PASSERELLE selects the program of another installation, for example of the wheel.
PASSERELLE = Path(os.environ.get("TESTED_PASSERELLE") or Path(sys.executable).with_name("passerelle"))
SECRET_KEY = "0f" * 32


def free_port() -> int:
    """Return an unused port below the ephemeral range.

    An outgoing connection could take an ephemeral port before the program under test binds it.
    """
    while True:
        port = 10_000 + secrets.randbelow(22_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def clean_environment() -> dict[str, str]:
    """Return this environment without settings of the bridge."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PASSERELLE_")}


class LiveBridge:
    """A bridge that runs inside a `with` block; another start keeps the database and the port."""

    def __init__(
        self, directory: Path, *, cas_url: str, clients: list[dict[str, Any]], settings: Mapping[str, str] | None = None
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_file = directory / "bridge.log"
        self.environment = clean_environment() | {
            "PASSERELLE_ISSUER": self.url,
            "PASSERELLE_BIND": f"127.0.0.1:{self.port}",
            "PASSERELLE_CAS_URL": cas_url,
            "PASSERELLE_DATABASE_URL": f"sqlite:///{directory}/bridge.sqlite3",
            "PASSERELLE_SECRET_KEY": SECRET_KEY,
            "PASSERELLE_WORKERS": "1",
            "PASSERELLE_CLIENTS": json.dumps(clients),
            **(settings or {}),
        }
        self.command: list[str | Path] = [PASSERELLE, "serve"]
        self.folder: Path | None = None
        """Working directory of the process."""
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, within: float = 30) -> None:
        """Start the process and wait until it prints its URL; `within` is in seconds."""
        with self.log_file.open("a") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            line = self.process.stdout.readline() if selector.select(within) else ""
        assert self.url in line, f"the bridge did not start: {line!r}\n{self.log}"

    def stop(self, how: int = signal.SIGTERM) -> None:
        """Signal the whole process group; SIGKILL simulates a power cut."""
        if self.process is None:
            return
        assert self.process.stdout is not None
        os.killpg(self.process.pid, how)
        self.process.wait(15)
        self.process.stdout.close()
        self.process = None

    @property
    def log(self) -> str:
        """Everything written to standard error."""
        return self.log_file.read_text()
