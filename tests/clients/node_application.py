"""An application of the Node world, in a process of its own on loopback."""

from __future__ import annotations

import json
import os
import secrets
import selectors
import shutil
import subprocess
from pathlib import Path
from typing import Self

from tests.clients.bridge_site import BridgeSite

PACKAGE = Path(__file__).with_name("node")
INSTALL_SECONDS = 120
START_SECONDS_MAX = 30


def install(folder: Path) -> Path:
    """The libraries beside the applications, as the lock says, and no script of any package run."""
    place = Path(shutil.copytree(PACKAGE, folder / "node"))
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return place


class NodeApplication:
    """Serves between __enter__ and __exit__, and no longer than this process."""

    def __init__(self, script: Path, *, port: int, site: BridgeSite, client: dict[str, str]) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.client = client
        self._script, self._log_file = script, script.with_suffix(".log")
        settings = {"issuer": site.issuer, **client, "port": port, "own_secret": secrets.token_hex(32)}
        # Node reads the authority from there, beside those that it trusts already.
        self._environment = {
            "PATH": os.environ["PATH"],
            "NODE_EXTRA_CA_CERTS": str(site.ca_file),
            "NODE_ENV": "production",
            "APPLICATION": json.dumps(settings),
        }

    def __enter__(self) -> Self:
        with self._log_file.open("w") as log:
            self._process = subprocess.Popen(
                ["node", self._script.name],
                cwd=self._script.parent,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        return self

    def waits_until_ready(self) -> None:
        """It says so itself."""
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            line = self._process.stdout.readline() if selector.select(START_SECONDS_MAX) else ""
        assert line == "ready\n", f"{self._script.name} did not start: {self.log}"

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    @property
    def log(self) -> str:
        """What it wrote on standard error."""
        return self._log_file.read_text()
