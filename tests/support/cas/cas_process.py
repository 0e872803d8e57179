"""A real CAS server in a process of its own: start, readiness, memory and end."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Self

import psutil

from tests.support.bridge.certificate_authority import KEYSTORE_PASSWORD, CertificateAuthority
from tests.support.bridge.live_bridge import free_port
from tests.support.cas.real_cas import CasVisitor, KnownUser, RealCas

# For a quick start: no optimising compiler, no parallel collector.
JAVA_QUICK_START = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


class CasProcess(RealCas):
    """A server that runs between __enter__ and __exit__, and ends with this process.

    Its certificate has a private authority, which it trusts: the bridge, which receives logout requests, can have a
    certificate of the same authority.
    """

    start_seconds_max = 60.0
    takes_commands: ClassVar[bool] = False
    """True if tests talk to its standard input and output. Otherwise its output goes to the log."""

    def __init__(self, folder: Path, *, tls: bool = True, user: KnownUser | None = None) -> None:
        super().__init__()
        self.user = user or self.user
        authority = CertificateAuthority(folder)
        self.ca_file, self._truststore = authority.ca_file, authority.truststore
        self.files = authority.issue("127.0.0.1", "localhost")
        self.port = free_port()
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/cas"
        self.log_file = folder / "cas.log"
        self.start_seconds = 0.0
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None

    @abstractmethod
    def prepare_command(self) -> list[str]:
        """Write the configuration and return the command that runs the server."""

    def environment(self) -> dict[str, str]:
        """Return the variables that the server needs besides the usual ones."""
        return {}

    def java_options(self, *, memory: tuple[str, str]) -> list[str]:
        """Return options of Java: a quick start, initial and maximum memory, the folder and the authority."""
        return [
            *JAVA_QUICK_START,
            f"-Xms{memory[0]}",
            f"-Xmx{memory[1]}",
            f"-Djava.io.tmpdir={self._folder}",
            f"-Djavax.net.ssl.trustStore={self._truststore}",
            f"-Djavax.net.ssl.trustStorePassword={KEYSTORE_PASSWORD}",
        ]

    def __enter__(self) -> Self:
        began = time.monotonic()
        usual = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        # The server must not outlive this process if it is killed.
        tied = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        with self.log_file.open("wb") as log:
            self._process = subprocess.Popen(
                [*tied, *self.prepare_command()],
                cwd=self._folder,
                env=usual | self.environment(),
                stdin=subprocess.PIPE if self.takes_commands else subprocess.DEVNULL,
                stdout=subprocess.PIPE if self.takes_commands else log,
                stderr=log,
                text=True,
            )
        try:
            self.wait_until(
                lambda visitor: visitor.get(f"{self.url}/login").status_code == 200, within=self.start_seconds_max
            )
        except BaseException:
            self.__exit__()
            raise
        self.start_seconds = time.monotonic() - began
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is None:
            return
        self._process.kill()  # it keeps no state, and an orderly end takes seconds
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process = None

    @property
    def resident_bytes(self) -> int:
        """Resident memory of the process."""
        assert self._process is not None
        return int(psutil.Process(self._process.pid).memory_info().rss)

    @property
    def log(self) -> str:
        """The end of its log."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")[-4000:]

    def wait_until(self, condition: Callable[[CasVisitor], bool], *, within: float) -> None:
        """Wait until a visitor finds a condition true; fail after `within` seconds or if the server ends."""
        deadline = time.monotonic() + within
        visitor = CasVisitor(self)
        try:
            while True:
                assert self._process is not None
                assert self._process.poll() is None, f"{self.kind} has ended:\n{self.log}"
                try:
                    if condition(visitor):
                        return
                except OSError:  # not listening yet
                    pass
                assert time.monotonic() < deadline, f"{self.kind}: not within {within} s:\n{self.log}"
                time.sleep(0.1)
        finally:
            visitor.close()
