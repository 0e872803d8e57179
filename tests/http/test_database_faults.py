"""A database that is full, read-only, locked, damaged or down gives status 503 everywhere, not 500."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import Engine, event

from bridge.serve import log_connection_shortage
from bridge.store import StoreFailure, fingerprint, required_connections, store
from bridge.store.database import open_engine
from tests.contract.records import login
from tests.http.conftest import MakeBridge
from tests.http.world import HUB_SECRET, Running, events
from tests.support.bridge.actors import FORM, App, Browser
from tests.support.bridge.postgres import PostgresServer


def set_pragma(bridge: Running, *pragmas: str) -> None:
    """Run pragmas on each connection before it is used."""

    def run(connection: Any, *_: object) -> None:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    event.listen(bridge.store._engine, "checkout", run)


def make_full(bridge: Running) -> None:
    set_pragma(bridge, "max_page_count = 1")  # SQLite takes the present size instead
    with suppress(StoreFailure):
        for number in count():
            bridge.store.pending_logins.save(login(state_hash=fingerprint(f"state {number}")))


def make_read_only(bridge: Running) -> None:
    set_pragma(bridge, "query_only = ON")


def lock(bridge: Running) -> None:
    set_pragma(bridge, "busy_timeout = 0")
    other = bridge.store._engine.pool._creator()  # type: ignore[attr-defined]  # a connection outside the pool
    other.execute("BEGIN IMMEDIATE")
    bridge.app.extensions["the lock"] = other


def damage(bridge: Running) -> None:
    bridge.store.close()
    for file in bridge.database.parent.glob(f"{bridge.database.name}*"):
        file.unlink()
    bridge.database.write_bytes(b"not a database. " * 512)


def delete(bridge: Running) -> None:
    bridge.store.close()
    shutil.rmtree(bridge.database.parent)


WRITES_FAIL: dict[str, Callable[[Running], None]] = {"full": make_full, "read-only": make_read_only, "locked": lock}
ALL_FAILS: dict[str, Callable[[Running], None]] = {"damaged": damage, "deleted": delete}


@pytest.fixture
def bridge(make_bridge: MakeBridge) -> Iterator[Running]:
    bridge = make_bridge()
    yield bridge
    if (held := bridge.app.extensions.get("the lock")) is not None:
        held.close()


def check_page(bridge: Running, hub: App) -> None:
    """Begin a sign-in."""
    answer = Browser(bridge.wire).get(hub.authorization_url(), Accept="text/html")
    assert answer.status == 503
    assert answer.is_page
    assert answer.headers["Retry-After"]
    assert "cannot be used at the moment" in answer.text


def check_token_endpoint(hub: App, code: str, **headers: str) -> None:
    form = {"grant_type": "authorization_code", "code": code, "client_id": "hub", "client_secret": HUB_SECRET}
    answer = hub.wire.send("POST", "/token", headers=FORM | headers, body=urlencode(form))
    assert (answer.status, answer.json["error"]) == (503, "temporarily_unavailable")
    assert answer.headers["Retry-After"]


@pytest.mark.parametrize("kind", WRITES_FAIL | ALL_FAILS)
def test_failing_database_gives_a_503_page(bridge: Running, hub: App, logged: list[str], kind: str) -> None:
    (WRITES_FAIL | ALL_FAILS)[kind](bridge)
    check_page(bridge, hub)
    assert not events(logged, "unexpected_error")
    assert events(logged, "refused")[-1]["kind"] == "StoreUnavailable"


@pytest.mark.parametrize("kind", WRITES_FAIL | ALL_FAILS)
def test_failing_database_is_not_ready(bridge: Running, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(store, "CHECK_SECONDS", 0)
    assert bridge.wire.send("GET", "/readyz").status == 200
    (WRITES_FAIL | ALL_FAILS)[kind](bridge)
    assert bridge.wire.send("GET", "/readyz").status == 503
    assert bridge.wire.send("GET", "/healthz").status == 200


@pytest.mark.parametrize("kind", ["read-only", "locked"])
def test_callback_without_writes_gives_a_503_page(bridge: Running, browser: Browser, hub: App, kind: str) -> None:
    callback = browser.log_in_at_cas(browser.get(hub.authorization_url()))
    WRITES_FAIL[kind](bridge)
    answer = browser.get(callback, Accept="text/html")
    assert (answer.status, answer.is_page) == (503, True)


@pytest.mark.parametrize("kind", ["read-only", "locked", "damaged"])
def test_token_endpoint_without_database_gives_503(bridge: Running, browser: Browser, hub: App, kind: str) -> None:
    code = hub.extract_code(browser.sign_in(hub.authorization_url()))
    (WRITES_FAIL | ALL_FAILS)[kind](bridge)
    check_token_endpoint(hub, code)
    check_token_endpoint(hub, code, Origin="https://app.example.org")


def test_userinfo_without_database_gives_503(bridge: Running) -> None:
    delete(bridge)
    bridge.clock.advance(60)  # the cached clients are older than that
    headers = {"Authorization": "Bearer abc", "Origin": "https://app.example.org"}
    answer = bridge.wire.send("GET", "/userinfo", headers=headers)
    assert (answer.status, answer.json["error"]) == (503, "temporarily_unavailable")


def test_readiness_leaves_no_row(bridge: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "CHECK_SECONDS", 0)
    for _ in range(3):
        assert bridge.wire.send("GET", "/readyz").status == 200
    assert sum(bridge.store.purge(now=2**40).values()) == 0


def test_readiness_writes_once_in_a_few_seconds(bridge: Running) -> None:
    """Anyone can ask for it."""
    writes: list[str] = []
    event.listen(bridge.store._engine, "commit", lambda _connection: writes.append("commit"))
    assert {bridge.wire.send("GET", "/readyz").status for _ in range(20)} == {200}
    assert len(writes) == 1


def test_failure_of_readiness_is_not_remembered(bridge: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    lock(bridge)
    assert bridge.wire.send("GET", "/readyz").status == 503
    bridge.app.extensions["the lock"].rollback()
    assert bridge.wire.send("GET", "/readyz").status == 200


def test_request_waits_less_for_a_lock_than_a_start(bridge: Running) -> None:
    """Five seconds is what probes and users wait; a migration of another process can take longer."""

    def wait(engine: Engine) -> int:
        with engine.connect() as connection:
            return int(connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one())

    at_start = open_engine(f"sqlite:///{bridge.database}")
    assert wait(bridge.store._engine) < 5000
    assert wait(at_start) >= 20_000
    at_start.dispose()


def test_rejected_statement_is_a_defect(bridge: Running, hub: App) -> None:
    """A retry does not repair it."""
    with bridge.store._engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER strict BEFORE INSERT ON pending_logins BEGIN SELECT RAISE(ABORT, ''); END"
        )
    assert Browser(bridge.wire).get(hub.authorization_url()).status == 500


@pytest.fixture
def on_postgres(
    make_bridge: MakeBridge, postgres: PostgresServer, template: str
) -> tuple[Running, Callable[[str], None]]:
    """Return a bridge on PostgreSQL, and a function that changes its database and closes all connections."""
    name = postgres.create_database(template=template)
    bridge = make_bridge(database_url=postgres.url(name))

    def alter(change: str) -> None:
        with postgres.connect("postgres") as connection:
            connection.execute(f"ALTER DATABASE {name} {change}")
            connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")

    return bridge, alter


@pytest.mark.needs("postgres")
@pytest.mark.parametrize("change", ["SET default_transaction_read_only = on", "ALLOW_CONNECTIONS false"])
def test_failing_postgres_gives_503(on_postgres: tuple[Running, Callable[[str], None]], change: str) -> None:
    bridge, alter = on_postgres
    hub, browser = App(bridge.wire, secret=HUB_SECRET), Browser(bridge.wire)
    code = hub.extract_code(browser.sign_in(hub.authorization_url()))
    alter(change)
    check_page(bridge, hub)
    check_token_endpoint(hub, code)
    assert bridge.wire.send("GET", "/readyz").status == 503


@pytest.mark.needs("postgres")
def test_few_connections_of_postgres_are_logged(
    on_postgres: tuple[Running, Callable[[str], None]], logged: list[str]
) -> None:
    limit = on_postgres[0].store.connection_limit()
    assert limit == 200 - 3  # those of the test server, less those of its superuser
    for workers in (9, 10):
        log_connection_shortage(limit, required_connections(workers))
    (event,) = events(logged, "few_database_connections")
    assert "allows 197 connections, and this bridge can open 205" in event["detail"]


@pytest.mark.needs("postgres")
def test_bridge_recovers_with_postgres(on_postgres: tuple[Running, Callable[[str], None]]) -> None:
    bridge, alter = on_postgres
    alter("ALLOW_CONNECTIONS false")
    assert bridge.wire.send("GET", "/readyz").status == 503
    alter("ALLOW_CONNECTIONS true")
    assert bridge.wire.send("GET", "/readyz").status == 200
    hub = App(bridge.wire, secret=HUB_SECRET)
    assert hub.extract_code(Browser(bridge.wire).sign_in(hub.authorization_url()))
