"""`passerelle clients` rejects invalid registrations, missing settings and unusable databases."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

import pytest

from bridge.identity import Identity
from bridge.store import Session, StoredClient
from tests.support.bridge.client_command import CHANGES, REDIRECT, ClientCommand, command

__all__ = ["command"]  # a fixture


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param([], "redirect_uris is required", id="no-address"),
        pytest.param(["--redirect-uri", "http://wiki.example.org/cb"], "is plain http", id="row3-http"),
        pytest.param(["--redirect-uri", "https://*.example.org/cb"], "wildcard", id="row3-wildcard"),
        pytest.param(["--redirect-uri", "https://wiki.example.org/#x"], "fragment", id="row3-fragment"),
        pytest.param(["--redirect-uri", "javascript:alert(1)"], "needs https", id="row3-javascript"),
        pytest.param(["--redirect-uri", "data:text/html,x"], "needs https", id="row3-data"),
        pytest.param(["--redirect-uri", "https://me@wiki.example.org/"], "user name", id="row3-userinfo"),
        pytest.param(["--redirect-uri", "https://[::1"], "is not a URI", id="row3-broken"),
        pytest.param(["--redirect-uri", "https://é.example.org/"], "non-ASCII", id="row3-non-ascii"),
        pytest.param([*REDIRECT, "--id", "hub"], "defined in the settings", id="settings-client"),
        pytest.param([*REDIRECT, "--id", "a b"], "client_id", id="space-in-id"),
        pytest.param([*REDIRECT, "--id", "x" * 256], "client_id", id="long-id"),
        pytest.param([*REDIRECT, "--scope", "root"], "root: unknown scope", id="unknown-scope"),
        pytest.param([*REDIRECT, "--grant-type", "password"], "password: unknown grant type", id="unknown-grant"),
        pytest.param([*REDIRECT, "--claim", "sub"], "unknown claim", id="unknown-claim"),
        pytest.param([*REDIRECT, "--public", "--no-pkce"], "requires a client secret", id="public-without-pkce"),
        pytest.param([*REDIRECT, "--access-token-lifetime", "1"], "access_token_lifetime_seconds", id="short-token"),
        pytest.param([*REDIRECT, "--backchannel-logout-uri", "ftp://x"], "backchannel_logout_uri", id="ftp"),
        pytest.param(
            ["--public", "--grant-type", "client_credentials"],
            "requires a client secret",
            id="public-client-credentials",
        ),
    ],
)
def test_invalid_registration_is_rejected(command: ClientCommand, words: list[str], says: str) -> None:
    assert says in command.error("add", "Wiki", *words)
    assert [row["client_id"] for row in json.loads(command.output("list", "--json"))] == ["hub"]


@pytest.mark.parametrize(
    "words",
    [
        ["add", "Wiki", "--redirect-uri", "https://\udcff.example.org/"],
        ["add", "\udcff", *REDIRECT],
        ["show", "\udcff"],
        ["edit", "\udcff", "--name", "x"],
        ["remove", "\udcff", "--yes"],
    ],
    ids=lambda words: words[0],
)
def test_arguments_must_be_utf8_row3(command: ClientCommand, words: list[str]) -> None:
    assert "not UTF-8" in command.error(*words, status=2)


@pytest.mark.parametrize("name", ["a\x1b[2J", "a\nb", "x" * 121, "\u202e"])
def test_unprintable_name_is_rejected(command: ClientCommand, name: str) -> None:
    assert "name" in command.error("add", name, *REDIRECT).lower()


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["add"],
        ["add", "A", "--no-such-option"],
        ["add", "A", "--id-token-alg", "HS256"],
        ["add", "A", "--allowed-attribute", "x"],
        ["add", "A", "--allowed-attribute", "=x"],
        ["add", "A", "--access-token-lifetime", "soon"],
        ["show"],
        ["edit", "x"],
        ["edit", "x", "--clear", "everything"],
        ["rotate-secret", "x", "--keep-old", "--drop-old"],
        ["no-such-command"],
    ],
)
def test_invalid_arguments_exit_with_status_2(command: ClientCommand, words: list[str]) -> None:
    result = command.run(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Usage: " in result.stderr


def test_client_id_must_not_equal_a_user_name_row71(command: ClientCommand) -> None:
    store = command.store()
    alice = Identity(subject="alice", username="alice")
    session = Session(sid="s", cookie_hash="c", identity=alice, auth_time=0, created_at=0, expires_at=2**40)
    store.sessions.begin(session, ticket_hash="t")
    store.close()
    assert "A user has the name alice" in command.error("add", "Alice", "--id", "alice", *REDIRECT)
    assert command.add("alice", *REDIRECT)["client_id"] != "alice"


def test_client_id_is_unique(command: ClientCommand) -> None:
    command.add("Wiki", "--id", "wiki", *REDIRECT)
    assert "There is a client wiki already" in command.error("add", "Other", "--id", "wiki", *REDIRECT)


def test_invalid_edit_changes_nothing(command: ClientCommand) -> None:
    command.add("Wiki", "--id", "wiki", *REDIRECT)
    before = command.show("wiki")
    assert "is plain http" in command.error("edit", "wiki", "--redirect-uri", "http://x.example.org")
    assert "is required" in command.error("edit", "wiki", "--clear", "redirect-uri")
    assert command.show("wiki") == before


@pytest.mark.parametrize("words", CHANGES, ids=lambda words: words[0])
def test_settings_clients_are_read_only(command: ClientCommand, words: list[str]) -> None:
    output = command.error(*("hub" if word == "CLIENT" else word for word in words))
    assert "is defined in the settings: change it there" in output


@pytest.mark.parametrize(
    ("words", "client_id"),
    [
        *((words, "missing") for words in [*CHANGES, ["show", "CLIENT"]]),
        *((["show", "CLIENT"], client_id) for client_id in ("", "\x1b[2J", "'; DROP TABLE stored_clients; --")),
    ],
)
def test_missing_client_is_reported(command: ClientCommand, words: list[str], client_id: str) -> None:
    output = command.error(*(client_id if word == "CLIENT" else word for word in words))
    assert f"There is no client {client_id!r}" in output


@pytest.mark.parametrize("document", ["", "{}", "[]", "null", '{"client_id": "odd", "from_the_future": 1}', "\x1b"])
def test_unreadable_client_is_listed_and_removable(command: ClientCommand, document: str) -> None:
    store = command.store()
    store.clients.put(StoredClient(client_id="odd", document=document, disabled=False), now=0)
    store.close()
    assert "unreadable" in command.output("list")
    assert command.show("odd")["state"].startswith("unreadable")
    assert "cannot be read" in command.error("edit", "odd", "--name", "x")
    command.output("remove", "odd", "--yes")


COMMANDS = [["list"], ["add", "A", *REDIRECT], ["show", "hub"], *CHANGES]
FAULTS = [
    ({"issuer": "", "cas_url": ""}, "PASSERELLE_CAS_URL: is required"),
    ({"config": "/no/such.toml"}, "cannot read /no/such.toml"),
    ({"database_url": "sqlite:////no/such/place.sqlite3"}, "PASSERELLE_DATABASE_URL"),
    ({"database_url": "postgresql://u:s3cret@127.0.0.1:9/x"}, "PASSERELLE_DATABASE_URL"),
    ({"database_url": f"sqlite:///{__file__}"}, "not a database"),
]


@pytest.mark.parametrize(
    ("words", "settings", "says"),
    [*((["list"], *fault) for fault in FAULTS), *((words, *FAULTS[-1]) for words in COMMANDS[1:])],
)
def test_missing_settings_or_database_is_reported(
    command: ClientCommand, words: list[str], settings: dict[str, str], says: str
) -> None:
    output = command.error(*words, **settings)
    assert says in output
    assert "s3cret" not in output


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux")
def test_full_disk_is_reported(command: ClientCommand) -> None:
    with sqlite3.connect(command.database) as connection:  # a trigger simulates the full disk
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON stored_clients BEGIN SELECT RAISE(FAIL, 'disk full'); END"
        )
    connection.close()
    assert "The database rejected the operation: disk full." in command.error("add", "A", *REDIRECT)


def test_read_only_database_is_reported(command: ClientCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    read_only = f"sqlite:///file:{command.database}?mode=ro&uri=true"
    assert "PASSERELLE_DATABASE_URL" in command.error("add", "A", *REDIRECT, database_url=read_only)


def test_new_database_is_private(command: ClientCommand, tmp_path: Path) -> None:
    usual = os.umask(0o022)
    try:
        fresh = tmp_path / "fresh.sqlite3"
        assert command.run("list", database_url=f"sqlite:///{fresh}").exit_code == 0
        assert fresh.stat().st_mode & 0o077 == 0
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(usual)
