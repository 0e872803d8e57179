"""An application in its own process on http://localhost or https://localhost."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import requests

from tests.support.bridge.live_bridge import clean_environment, free_port

READY_WITHIN_SECONDS = 60


class Application:
    """Serves between __enter__ and __exit__. Its URL is known before, for the registration.

    Its host name differs from 127.0.0.1, the host of the bridge and of CAS, because browsers share cookies between all
    ports of a host.
    """

    def __init__(self, folder: Path, *, path: str = "", ca_file: Path | None = None) -> None:
        """Reserve a port; `ca_file` is the authority of its certificate, or None for plain http."""
        self.folder = folder
        self.port = free_port()
        self.url = f"{'https' if ca_file else 'http'}://localhost:{self.port}{path}"
        self._verify = str(ca_file or "")
        self.log_file = folder / "application.log"
        self._command: Sequence[str | Path] = ()
        self._environment: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def configure(self, command: Sequence[str | Path], environment: Mapping[str, str]) -> Self:
        """Set the command; the process inherits the environment without the settings of the bridge."""
        self._command, self._environment = command, clean_environment() | environment
        return self

    def configure_python(self, *arguments: str | Path, **environment: str) -> Self:
        """Set the arguments of this Python interpreter."""
        return self.configure([sys.executable, *arguments], environment)

    def __enter__(self) -> Self:
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self.folder, env=self._environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        give_up = time.monotonic() + READY_WITHIN_SECONDS
        try:
            while not self._answers():
                assert self._process.poll() is None, self.log
                assert time.monotonic() < give_up, self.log
                time.sleep(0.1)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    @property
    def log(self) -> str:
        """The output of the process."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def _answers(self) -> bool:
        try:
            requests.get(self.url, allow_redirects=False, timeout=5, verify=self._verify or True)
        except requests.RequestException:
            return False
        return True
