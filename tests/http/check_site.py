"""A complete site for `passerelle check`: CAS, a bridge, and the proxy in front of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.bridge.checked_site import CheckedCas, FrontProxy, Issuer
from tests.support.bridge.command_forks import Call, Command
from tests.support.bridge.live_bridge import LiveBridge

SECRET_KEY = "7c1e0b7d6a4f4e2d8c9b1a2f3e4d5c6b7a8f9e0d1c2b3a4f5e6d7c8b9a0f1e2d"
CLIENTS = [
    {"client_id": "hub", "client_secret": "hub-s3cret", "redirect_uris": ["https://hub.example.org/hub/oauth_callback"]}
]


@dataclass
class Checked:
    """The output of one run."""

    status: int
    stdout: str
    stderr: str

    @property
    def report(self) -> dict[str, Any]:
        return dict(json.loads(self.stdout))

    @property
    def findings(self) -> dict[str, dict[str, str]]:
        found = {one["id"]: one for one in self.report["findings"]}
        assert len(found) == len(self.report["findings"]), "one finding for each ID"
        return found

    def of_level(self, level: str) -> set[str]:
        return {name for name, one in self.findings.items() if one["level"] == level}


class Site:
    """A CAS server, a bridge and a proxy; tests break only parts that they add."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.stack = folder, stack
        self.authority = Issuer(folder, "Institution CA")
        self.cas = stack.enter_context(CheckedCas(tls=self.authority.server("localhost")))
        self.front = stack.enter_context(FrontProxy(self.authority.server("localhost")))
        self.bridge = LiveBridge(
            folder,
            cas_url=self.cas.url,
            clients=CLIENTS,
            settings={
                "PASSERELLE_ISSUER": self.front.url,
                "PASSERELLE_SECRET_KEY": SECRET_KEY,
                "PASSERELLE_CAS_CA_FILE": str(self.authority.ca_file),
                "LANG": "C.UTF-8",
            },
        )
        self.bridge.url = self.front.url  # the address that it prints when it serves
        stack.enter_context(self.bridge)
        self.front.backend_port = self.bridge.port
        self.cas.registered = f"{self.front.url}/cas/callback"

    def new_cas(self, **options: Any) -> CheckedCas:
        """Start another CAS server with our service registered, for one test."""
        cas = self.stack.enter_context(CheckedCas(**options))
        cas.registered = self.cas.registered
        return cas

    def new_front(self, **options: Any) -> FrontProxy:
        """Start another proxy in front of the same bridge, for one test."""
        front = FrontProxy(**{"tls": self.authority.server("localhost"), "backend_port": self.bridge.port, **options})
        return self.stack.enter_context(front)

    def run_check(self, *options: str, **settings: Any) -> Checked:
        given = {f"PASSERELLE_{name.upper()}": str(value) for name, value in settings.items()}
        return self.run("check", "--ca-file", str(self.authority.ca_file), *options, **given)

    def run(self, *words: str, **environment: str) -> Checked:
        """Run a command with the settings of the bridge."""
        call = Call(
            words=words, folder=self.folder, environment=self.bridge.environment | {"COLUMNS": "100"} | environment
        )
        done = Command(call, self.folder / "output").wait(within=90)
        return Checked(done.status, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(tmp_path_factory.mktemp("checked"), stack)


@pytest.fixture
def site(shared: Site, tmp_path: Path) -> Iterator[Site]:
    """Yield the intact site, and remove at the end what the test adds."""
    with ExitStack() as stack:
        whole, shared.stack, shared.folder = shared.stack, stack, tmp_path
        shared.authority.folder = tmp_path
        yield shared
        shared.stack = whole
        shared.front.rules.clear()
