"""Fixtures: one running bridge for all tests; for each test a CAS without sessions, a browser and a relying party."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.relying_party import RelyingParty
from tests.conformance.world import PasswordCas, Person, TlsProxy, clients
from tests.support.bridge.live_bridge import LiveBridge
from tests.support.cas.logout_receiver import LogoutReceiver
from tests.support.certificates import write_certificate

TIME_COLUMNS = {
    "sessions": ("auth_time", "created_at", "expires_at"),
    "grants": ("auth_time", "created_at"),
    "codes": ("issued_at", "expires_at", "redeemed_at"),
    "access_tokens": ("issued_at", "expires_at"),
    "refresh_tokens": ("issued_at", "expires_at", "rotated_at"),
}


@dataclass(frozen=True)
class World:
    """The running servers."""

    issuer: str
    cas: PasswordCas
    receiver: LogoutReceiver
    certificate: Path
    """Folder of the certificate and the database."""
    bridge: LiveBridge

    def advance_time(self, seconds: int) -> None:
        """Shift every stored time into the past by this many seconds."""
        with contextlib.closing(sqlite3.connect(self.certificate / "bridge.sqlite3", timeout=10)) as database, database:
            for table, columns in TIME_COLUMNS.items():
                changes = ", ".join(f"{column} = {column} - {seconds}" for column in columns)
                database.execute(f"UPDATE {table} SET {changes}")

    def person(self) -> Person:
        return Person(self.issuer, self.cas.url, self.certificate)

    def relying_party(self, client_id: str = "basic", **how: Any) -> RelyingParty:
        return RelyingParty(self.issuer, self.certificate, client_id, **how)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("conformance")
    write_certificate(directory, ["127.0.0.1"])
    with PasswordCas() as cas, LogoutReceiver() as receiver:
        bridge = LiveBridge(directory, cas_url=cas.url, clients=clients(receiver.url))
        with TlsProxy(bridge.port, directory) as front:
            bridge.environment["PASSERELLE_ISSUER"] = front.url
            with bridge:
                yield World(front.url, cas, receiver, directory, bridge)


@pytest.fixture
def world(running: World) -> World:
    running.cas.script = None
    running.cas.signed_in = False
    running.cas.passwords_typed = 0
    running.receiver.told.clear()
    return running


@pytest.fixture
def person(world: World) -> Iterator[Person]:
    with world.person() as person:
        yield person


@pytest.fixture(scope="session")
def strict(running: World) -> RelyingParty:
    """Share one discovery between the tests without special requirements."""
    return running.relying_party()


@pytest.fixture(scope="session", params=["query", "form_post"])
def rp(request: pytest.FixtureRequest, running: World) -> RelyingParty:
    """Return a client that authenticates with HTTP Basic."""
    return running.relying_party(response_mode=request.param)
