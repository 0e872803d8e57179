"""Fixtures: a bridge in this process, a listening CAS, a clock, and a search of the log for secrets."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from bridge.app import create_app
from bridge.cas.client import CasClient
from bridge.cas.endpoints import CasEndpoints
from bridge.settings import load
from bridge.store import Store
from bridge.web.context import EXTENSION
from tests.http.world import CLIENTS, HUB_SECRET, ISSUER, Running, environment
from tests.support.bridge.actors import App, Browser, Wire
from tests.support.bridge.live_bridge import LiveBridge
from tests.support.cas.scripted_cas import ALICE, ScriptedCas
from tests.support.clock import Clock

MakeBridge = Callable[..., Running]


@pytest.fixture(scope="session")
def database_with_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create keys once, because an RSA key costs more than most tests."""
    database = tmp_path_factory.mktemp("bridge") / "bridge.sqlite3"
    app = create_app(load(environment("http://127.0.0.1:9/cas", database)))
    app.extensions[EXTENSION].provider.store.close()
    return database


@pytest.fixture(scope="session")
def cas_server() -> Iterator[ScriptedCas]:
    with ScriptedCas() as cas:
        yield cas


@pytest.fixture
def cas(cas_server: ScriptedCas) -> ScriptedCas:
    """Return a CAS without a script or requests, where Alice is signed in."""
    cas_server.script, cas_server.signed_in = None, True
    cas_server.requests.clear()
    cas_server.sign_in_as("alice", ALICE)
    return cas_server


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """Collect the log lines of the bridge."""
    lines: list[str] = []
    structlog.reset_defaults()  # an earlier command may have changed them
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
            lambda _logger, _name, line: lines.append(line) or "",
        ],
        logger_factory=structlog.ReturnLoggerFactory(),
    )
    yield lines
    structlog.reset_defaults()


def start(cas_url: str, database: Path, *, read_timeout: float = 5.0, **changes: str) -> Running:
    """Start a bridge; `read_timeout` is for CAS, the changes are settings."""
    settings = load(environment(cas_url, database) | {f"PASSERELLE_{name.upper()}": changes[name] for name in changes})
    clock = Clock(time.time())  # CAS reports login times
    store = Store(settings.database_url.get_secret_value())
    proxy = None if settings.cas_proxy is None else settings.cas_proxy.get_secret_value()
    cas = CasClient(CasEndpoints.from_settings(settings), proxy=proxy, connect_timeout=1, read_timeout=read_timeout)
    app = create_app(settings, store=store, cas=cas, clock=clock)
    return Running(Wire(settings.issuer, app=app), app, clock, store, database)


def stop(bridge: Running) -> None:
    bridge.app.extensions[EXTENSION].cas.close()
    bridge.store.close()


def check_log_holds_no_secret(logged: list[str], *wires: Wire) -> None:
    secrets = [secret for wire in wires for secret in wire.secrets | wire.states]
    leaks = [line for line in logged if any(secret in line for secret in secrets)]
    assert not leaks, f"row 73: the log holds a ticket, code, token, secret, verifier or cookie: {leaks}"


@pytest.fixture
def make_bridge(cas: ScriptedCas, database_with_keys: Path, tmp_path: Path, logged: list[str]) -> Iterator[MakeBridge]:
    """Return a factory of bridges on one database; see `start`."""
    database = Path(shutil.copy(database_with_keys, tmp_path / "bridge.sqlite3"))
    running: list[Running] = []

    def make(**changes: Any) -> Running:
        running.append(start(**{"cas_url": cas.url, "database": database, **changes}))
        return running[-1]

    yield make
    for bridge in running:
        stop(bridge)
    check_log_holds_no_secret(logged, *(bridge.wire for bridge in running))


@pytest.fixture(scope="session")
def standing_bridge(
    cas_server: ScriptedCas, database_with_keys: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    database = tmp_path_factory.mktemp("standing") / "bridge.sqlite3"
    bridge = start(cas_server.url, Path(shutil.copy(database_with_keys, database)))
    yield bridge
    stop(bridge)


@pytest.fixture
def bridge(standing_bridge: Running, cas: ScriptedCas, logged: list[str]) -> Iterator[Running]:
    """Return an empty bridge. The application is shared: use `make_bridge` for destructive tests."""
    standing_bridge.store.purge(now=2**40)
    standing_bridge.clock.now = time.time()
    bridge = replace(standing_bridge, wire=Wire(ISSUER, app=standing_bridge.app))
    yield bridge
    check_log_holds_no_secret(logged, bridge.wire)


@pytest.fixture
def live_bridge(cas: ScriptedCas, tmp_path: Path) -> Iterator[LiveBridge]:
    """Return `passerelle serve` with two workers, not started yet; the process is killed at the end."""
    bridge = LiveBridge(tmp_path, cas_url=cas.url, clients=CLIENTS, settings={"PASSERELLE_WORKERS": "2"})
    yield bridge
    if bridge.process is not None and bridge.process.poll() is None:
        bridge.stop(signal.SIGKILL)


@pytest.fixture(scope="session")
def standing_live_bridge(cas_server: ScriptedCas, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveBridge]:
    folder, settings = tmp_path_factory.mktemp("serving"), {"PASSERELLE_WORKERS": "2"}
    with LiveBridge(folder, cas_url=cas_server.url, clients=CLIENTS, settings=settings) as bridge:
        yield bridge


@pytest.fixture
def serving(standing_live_bridge: LiveBridge, cas: ScriptedCas) -> LiveBridge:
    """Return `passerelle serve` with two workers, which several tests share."""
    return standing_live_bridge


@pytest.fixture
def browser(bridge: Running) -> Browser:
    return Browser(bridge.wire)


@pytest.fixture
def hub(bridge: Running) -> App:
    return App(bridge.wire, secret=HUB_SECRET)


@pytest.fixture
def portal(bridge: Running) -> App:
    return App(bridge.wire, "portal", secret="portal-secret", redirect_uri="https://portal.example.org/cb?tenant=a%2Fb")


@pytest.fixture
def notes(bridge: Running) -> App:
    """A client with refresh tokens."""
    return App(bridge.wire, "notes", secret="the secret of notes", redirect_uri="https://notes.example.org/cb")


@pytest.fixture
def asks(bridge: Running) -> App:
    """A client that requires consent."""
    return App(bridge.wire, "asks", secret="the secret of asks", redirect_uri="https://asks.example.org/cb")


@pytest.fixture
def robot(bridge: Running) -> App:
    """A client with client_credentials."""
    return App(bridge.wire, "robot", secret="the secret of the robot")


@pytest.fixture
def cli(bridge: Running) -> App:
    """A public client."""
    return App(bridge.wire, "cli", redirect_uri="http://127.0.0.1:50123/cb")


@pytest.fixture
def old(bridge: Running) -> App:
    """A confidential client without required PKCE and with few scopes."""
    return App(bridge.wire, "old", secret="old-secret-of-old", redirect_uri="https://old.example.org/cb")
