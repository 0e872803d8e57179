"""A real django-cas-server in its own process, over http, or over https with a private authority."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import psutil

from tests.support.bridge.certificate_authority import CertificateAuthority
from tests.support.bridge.live_bridge import free_port
from tests.support.cas.real_cas import KnownUser, LogoutChannel, RealCas, service_pattern

PROGRAM = Path(__file__).with_name("django_cas_server") / "serve.py"
ANSWER_SECONDS_MAX = 60


class DjangoCas(RealCas):
    """A django-cas-server that runs between __enter__ and __exit__, and ends with this process."""

    kind, version = "django-cas-server", "3.1.0"
    software = "cas_server"
    """Django application of the server."""
    protocols = ("3.0", "2.0", "1.0", "saml1.1")
    speaks_json = False  # it ignores format=JSON
    names_every_ticket = True
    spends_tickets_of_other_services = True

    def __init__(self, folder: Path, *, tls: bool = True, user: KnownUser | None = None) -> None:
        super().__init__()
        self.user = user or self.user
        authority = CertificateAuthority(folder)
        self.files = files = authority.issue("127.0.0.1", "localhost")
        self.ca_file = authority.ca_file
        port = free_port()
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/cas"
        self.log_file = folder / "django-cas.log"
        self.start_seconds = 0.0
        self._site = {
            "software": self.software,
            "folder": str(folder),
            "port": port,
            "certificate": str(files.certificate) if tls else None,
            "key": str(files.key) if tls else None,
            "user": {
                "name": self.user.name,
                "password": self.user.password,
                "attributes": {name: list(values) for name, values in self.user.attributes.items()},
            },
        }
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        began = time.monotonic()
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        # The certificate of the bridge, which receives logout requests, has the same authority.
        environment["REQUESTS_CA_BUNDLE"] = str(self.ca_file)
        with self.log_file.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, PROGRAM],
                env=environment | {"CAS_SITE": json.dumps(self._site)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        try:
            assert self._line() == "ready\n", self.log_file.read_text()
        except BaseException:
            self.__exit__()
            raise
        self.start_seconds = time.monotonic() - began
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.close()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process.stdout.close()
            self._process = None

    @property
    def resident_bytes(self) -> int:
        """Resident memory of the process."""
        assert self._process is not None
        return int(psutil.Process(self._process.pid).memory_info().rss)

    def register(self, issuer: str, *, channel: LogoutChannel = "at the logout URL", exactly: bool = False) -> None:
        assert channel != "by the browser", "it has no front channel"
        logout_url = f"{issuer}/cas/logout" if channel == "at the logout URL" else ""
        pattern = service_pattern(issuer, exactly=exactly)
        self._tell({"register": pattern, "name": issuer, "logout_url": logout_url})

    def unregister(self, issuer: str) -> None:
        self._tell({"unregister": issuer})

    def _tell(self, command: dict[str, str]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps(command)}\n")
        self._process.stdin.flush()
        assert self._line() == '{"done": true}\n', self.log_file.read_text()

    def _line(self) -> str:
        """Return the next line of output, or an empty string after its end or a timeout."""
        assert self._process is not None
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            return self._process.stdout.readline() if selector.select(ANSWER_SECONDS_MAX) else ""


class MamaCas(DjangoCas):
    """A django-mama-cas. It compares service URLs without their query, and its logout ends sessions in all browsers."""

    kind, version = "django-mama-cas", "2.5.0"
    software = "mama_cas"
    # Its samlValidate accepts services at https only.
    protocols = ("3.0", "2.0", "1.0")
    names_every_ticket = False  # only those since the newest login of the user, in any browser
    reports_auth_time = False
    compares_query = False
    logout_ends_all_sessions = True
