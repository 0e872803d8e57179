"""A bridge in this process, a CAS that really listens, a clock that tests move, and a search of every log line."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from bridge import create_app
from bridge.cas.client import CasClient
from bridge.settings import load
from bridge.store import SqlStore
from bridge.web.context import EXTENSION
from tests.http.world import HUB_SECRET, Clock, Running, environment
from tests.support.actors import App, Browser, Wire
from tests.support.scripted_cas import ScriptedCas

MakeBridge = Callable[..., Running]


@pytest.fixture(scope="session")
def database_with_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once, because an RSA key costs more than most tests."""
    database = tmp_path_factory.mktemp("bridge") / "bridge.sqlite3"
    app = create_app(load(environment("http://127.0.0.1:9/cas", database)))
    app.extensions[EXTENSION].store.close()
    return database


@pytest.fixture
def cas() -> Iterator[ScriptedCas]:
    with ScriptedCas() as cas:
        yield cas


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """Every line that is logged, as the bridge writes it."""
    lines: list[str] = []
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


@pytest.fixture
def make_bridge(cas: ScriptedCas, database_with_keys: Path, tmp_path: Path, logged: list[str]) -> Iterator[MakeBridge]:
    """Bridges on one database; `read_timeout` is for CAS, the rest are settings."""
    database = Path(shutil.copy(database_with_keys, tmp_path / "bridge.sqlite3"))
    running: list[Running] = []
    clients: list[CasClient] = []

    def make(*, read_timeout: float = 5.0, **settings: str) -> Running:
        read = load(
            environment(cas.url, database) | {f"PASSERELLE_{name.upper()}": settings[name] for name in settings}
        )
        clock, store = Clock(), SqlStore(read.database_url.get_secret_value())
        client = CasClient(read.cas_internal_url or read.cas_url, connect_timeout=1, read_timeout=read_timeout)
        clients.append(client)
        app = create_app(read, store=store, cas=client, clock=clock)
        running.append(Running(Wire(read.issuer, app=app), app, clock, store, database))
        return running[-1]

    yield make
    for client in clients:
        client.close()
    for bridge in running:
        bridge.store.close()
    secrets = [secret for bridge in running for secret in bridge.wire.secrets | bridge.wire.states]
    leaks = [line for line in logged if any(secret in line for secret in secrets)]
    assert not leaks, f"row 73: the log holds a ticket, code, token, secret, verifier or cookie: {leaks}"


@pytest.fixture
def bridge(make_bridge: MakeBridge) -> Running:
    return make_bridge()


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
def cli(bridge: Running) -> App:
    """A public client."""
    return App(bridge.wire, "cli", redirect_uri="http://127.0.0.1:50123/cb")


@pytest.fixture
def old(bridge: Running) -> App:
    """A confidential client that was excused from PKCE and may not have every scope."""
    return App(bridge.wire, "old", secret="old-secret-of-old", redirect_uri="https://old.example.org/cb")
