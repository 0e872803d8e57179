"""A real django-cas-server in its own process, over http, or over https with a private authority."""

from __future__ import annotations

import json
import selectors
import sys
from pathlib import Path

from tests.support.cas.cas_process import CasProcess
from tests.support.cas.real_cas import LogoutChannel, service_pattern

PROGRAM = Path(__file__).with_name("django_cas_server") / "serve.py"
ANSWER_SECONDS_MAX = 60


class DjangoCas(CasProcess):
    """A django-cas-server. It reads commands from its standard input."""

    kind, version = "django-cas-server", "3.1.0"
    software = "cas_server"
    """Django application of the server."""
    protocols = ("3.0", "2.0", "1.0", "saml1.1")
    speaks_json = False  # it ignores format=JSON
    takes_commands = True
    names_every_ticket = True
    spends_tickets_of_other_services = True

    def prepare_command(self) -> list[str]:
        return [sys.executable, str(PROGRAM)]

    def environment(self) -> dict[str, str]:
        tls = self.url.startswith("https:")
        site = {
            "software": self.software,
            "folder": str(self._folder),
            "port": self.port,
            "certificate": str(self.files.certificate) if tls else None,
            "key": str(self.files.key) if tls else None,
            "user": {
                "name": self.user.name,
                "password": self.user.password,
                "attributes": {name: list(values) for name, values in self.user.attributes.items()},
            },
        }
        return {"REQUESTS_CA_BUNDLE": str(self.ca_file), "CAS_SITE": json.dumps(site)}

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
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(command)}\n")
        self._process.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            answer = self._process.stdout.readline() if selector.select(ANSWER_SECONDS_MAX) else ""
        assert answer == '{"done": true}\n', self.log


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
