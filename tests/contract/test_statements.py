"""Statements: they use indexes, keep foreign keys and store no secret in plain text."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import CompoundSelect, Select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.dml import UpdateBase

from bridge.store import (
    Consumed,
    Store,
    clients,
    deliveries,
    failures,
    fingerprint,
    grant_revocation,
    grants,
    keys,
    pending_logins,
    purge,
    sessions,
)
from bridge.store.database import open_engine
from tests.contract.records import (
    CODE_LIFETIME,
    NOW,
    allow,
    begin,
    consume,
    issue,
    login,
    own_grant,
    redeem,
    refresh,
)
from tests.support.bridge.postgres import PostgresServer

VALUES = {
    "state": "s", "browser": "b", "ticket": "t", "cookie": "c", "hash": "h", "of_sid": "s", "of_grant": "g",
    "of_client": "c", "of_subject": "s", "of_kid": "k", "of_algorithm": "a", "of_delivery": 1, "now": NOW,
    "most": 9, "leased_until": NOW, "next": "n", "new_cookie_hash": "c", "new_identity": "i", "new_auth_time": 1,
    "new_expires_at": 1, "by_cas": True, "at": NOW, "error": "e", "next_at": 1, "wider": "w",
    "include_offline": True, "new_browser_hash": "b",
}  # fmt: skip
HOT = {
    f"{module.__name__.rpartition('.')[2]}.{name}": statement
    for module in (pending_logins, sessions, grants, grant_revocation, keys, clients, deliveries, failures)
    for name, statement in vars(module).items()
    if name.isupper() and isinstance(statement, (Select, CompoundSelect, UpdateBase))
}
# Intermediate results of few rows.
SMALL_RESULTS = {"SCAN due", "SCAN newest", "SCAN of_ticket"}
# Statements that need all rows, read a small table, or run only in commands.
SCANS = {
    "grant_revocation.USERS_OF_GRANTS",
    "sessions.LAST_ENDED_BY_CAS",
    "sessions.NEWEST_SESSIONS",
    "keys.ALL_KEYS",
    "pending_logins.TOTAL_OF_LOGINS",  # an index, at one of 64 logins
    "pending_logins.DISCARD_OLDEST",  # the begin of that index
    "clients.ALL_CLIENTS",
    "deliveries.WAITING_DELIVERIES",
}


def steps(database: str, statement: Select[Any] | CompoundSelect[Any] | UpdateBase) -> list[str]:
    """Return the query plan of a statement on SQLite."""
    engine = open_engine(database)
    try:
        compiled = statement.compile(engine)
        lists = {bound.key for bound in compiled.post_compile_params}
        values = [VALUES.get(name, 1) for name in compiled.positiontup or () if name not in lists]
        sql = re.sub(r"__\[POSTCOMPILE_\w+\]", "'one of a list'", str(compiled))
        with engine.connect() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", tuple(values))
            return [row.detail for row in plan]
    finally:
        engine.dispose()


@pytest.mark.parametrize("name", [name for name in HOT if name not in SCANS])
def test_statement_scans_no_table(name: str, sqlite: str) -> None:
    assert not [step for step in steps(sqlite, HOT[name]) if step.startswith("SCAN") and step not in SMALL_RESULTS]


@pytest.mark.parametrize("purge", purge.PURGES, ids=lambda purge: purge.table.name)
def test_purge_scans_no_table(purge: purge.Purge, sqlite: str) -> None:
    assert not [step for step in steps(sqlite, purge.choose) if step.startswith("SCAN")]


@pytest.fixture(scope="module")
def sqlite(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return one database for all plans, because `EXPLAIN` changes nothing."""
    return f"sqlite:///{shutil.copy(sqlite_template, tmp_path_factory.mktemp('plans') / 'bridge.sqlite3')}"


def test_plans_cover_statements_of_sign_in() -> None:
    assert {"pending_logins.CONSUME_LOGIN", "sessions.FIND_SESSION", "grants.REDEEM_CODE", "grants.FIND_ACCESS"} <= set(
        HOT
    )
    assert {"grants.ROTATE", "grants.FIND_ROTATION", "grant_revocation.REVOKE_BY_REFRESH"} <= set(HOT)


def test_token_without_grant_violates_foreign_key(store: Store) -> None:
    with pytest.raises(IntegrityError):
        store.grants.begin_with_token(own_grant(), issue("x", own_grant("another"), now=NOW).records)


SECRETS = ("the state", "the browser", "ST-the-ticket", "cookie of session", "the code", "the access token")


def use_secrets(store: Store) -> None:
    """Store a record of each kind, derived from secrets."""
    store.pending_logins.save(login(state_hash=fingerprint("the state"), browser_hash=fingerprint("the browser")))
    hashes = {"browser_hashes": [fingerprint("the browser")], "ticket_hash": fingerprint("ST-the-ticket")}
    assert isinstance(consume(store, "the state", **hashes), Consumed)
    begin(store)
    allow(store, "grant", "the code")
    assert redeem(store, "the code", gives="the access token")
    assert refresh(store, "refresh the access token", now=NOW + CODE_LIFETIME)


def test_sqlite_files_contain_no_secret_row22(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/bridge.sqlite3")
    use_secrets(store)
    content = b"".join(file.read_bytes() for file in tmp_path.glob("bridge.sqlite3*"))
    store.close()
    assert b"alice@example.org" in content
    assert not [secret for secret in SECRETS if secret.encode() in content]


@pytest.mark.needs("postgres")
def test_postgres_dump_contains_no_secret_row22(postgres: PostgresServer, template: str) -> None:
    name = postgres.create_database(template=template)
    store = Store(postgres.url(name))
    use_secrets(store)
    store.close()
    with postgres.connect(name) as connection:
        tables = [row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        content = "".join(str(connection.execute(f"SELECT * FROM {table}").fetchall()) for table in tables)
    assert "alice@example.org" in content
    assert not [secret for secret in SECRETS if secret in content]
