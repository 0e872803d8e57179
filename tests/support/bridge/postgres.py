"""A temporary PostgreSQL server on a Unix socket.

It uses Debian's binaries, never Debian's service. PostgreSQL refuses to run as root; tests run by root start it as
the user `postgres` of the package.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import psycopg

from tests.machine.status import postgres_binaries

START_SECONDS = 30
PR_SET_PDEATHSIG = 1  # <sys/prctl.h>
# Durability is not needed, and waiting for the disk takes most of the time.
SETTINGS = ("fsync=off", "full_page_writes=off", "listen_addresses=", "max_connections=200", "autovacuum=off")


class PostgresServer:
    """A server that runs inside a `with` block."""

    def __init__(self) -> None:
        self._binaries = postgres_binaries()
        self.folder = Path(tempfile.mkdtemp(prefix="passerelle-pg-"))
        self._as: dict[str, Any] = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        assert self._binaries is not None
        if self._as:
            shutil.chown(self.folder, **self._as)
        data, log = self.folder / "data", self.folder / "log"
        self._run("initdb", "--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C", data)
        options = [part for setting in SETTINGS for part in ("-c", setting)]
        with log.open("wb") as written:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", data, "-k", self.folder, *options],
                stdout=written,
                stderr=written,
                cwd="/",
                preexec_fn=_end_with_parent,  # noqa: PLW1509  no thread runs yet when a fixture starts it
                **self._as,
            )
        give_up = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, log.read_text()
            assert time.monotonic() < give_up, log.read_text()
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)  # immediate shutdown, because no data has to be kept
            self._process.wait(15)
        shutil.rmtree(self.folder)

    def create_database(self, *, template: str = "template1") -> str:
        """Create a database and return its name."""
        name = f"test_{next(self._numbers)}"
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return name

    def connect(self, database: str) -> psycopg.Connection[Any]:
        """Open a connection for queries by the tests."""
        return psycopg.connect(host=str(self.folder), user="postgres", dbname=database, autocommit=True)

    def url(self, database: str) -> str:
        """Return the value of PASSERELLE_DATABASE_URL for a database."""
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def log(self) -> str:
        """Return the server's log."""
        return (self.folder / "log").read_text(encoding="utf-8")

    def _answers(self) -> bool:
        try:
            self.connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str | Path) -> None:
        assert self._binaries is not None
        done = subprocess.run(
            [self._binaries / program, *arguments], capture_output=True, text=True, check=False, cwd="/", **self._as
        )
        assert done.returncode == 0, done.stderr


def _end_with_parent() -> None:
    """End the server with its parent, even if the parent is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT, 0, 0, 0)
