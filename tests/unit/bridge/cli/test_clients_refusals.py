"""`passerelle clients` refuses in one sentence: wrong registrations, missing settings, sick databases."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

import pytest

from bridge.identity import Identity
from bridge.store import Session, StoredClient
from tests.support.bridge.client_command import CHANGES, REDIRECT, ClientCommand, command, empty_database

__all__ = ["command", "empty_database"]  # fixtures


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
        pytest.param([*REDIRECT, "--id", "hub"], "registered in the settings", id="of-the-settings"),
        pytest.param([*REDIRECT, "--id", "a b"], "client_id", id="space-in-id"),
        pytest.param([*REDIRECT, "--id", "x" * 256], "client_id", id="long-id"),
        pytest.param([*REDIRECT, "--scope", "root"], "root: not known here", id="unknown-scope"),
        pytest.param([*REDIRECT, "--grant-type", "password"], "password: not known here", id="unknown-grant"),
        pytest.param([*REDIRECT, "--claim", "sub"], "no such claim", id="unknown-claim"),
        pytest.param([*REDIRECT, "--public", "--no-pkce"], "needs a client secret", id="public-without-pkce"),
        pytest.param([*REDIRECT, "--access-token-lifetime", "1"], "access_token_lifetime_seconds", id="short-token"),
        pytest.param([*REDIRECT, "--backchannel-logout-uri", "ftp://x"], "backchannel_logout_uri", id="ftp"),
        pytest.param(
            ["--public", "--grant-type", "client_credentials"], "needs a client secret", id="public-for-itself"
        ),
    ],
)
def test_what_the_settings_would_refuse_is_refused_here(command: ClientCommand, words: list[str], says: str) -> None:
    assert says in command.refuses("add", "Wiki", *words)
    assert [row["client_id"] for row in json.loads(command.does("list", "--json"))] == ["hub"]


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
def test_words_that_are_no_text_are_refused_as_such_row3(command: ClientCommand, words: list[str]) -> None:
    assert "not UTF-8" in command.refuses(*words, status=2)


@pytest.mark.parametrize("name", ["a\x1b[2J", "a\nb", "x" * 121, "\u202e"])
def test_a_name_that_cannot_be_shown_is_refused(command: ClientCommand, name: str) -> None:
    assert "name" in command.refuses("add", name, *REDIRECT).lower()


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
def test_wrong_arguments_end_with_status_2(command: ClientCommand, words: list[str]) -> None:
    result = command.runs(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Usage: " in result.stderr


def test_a_client_is_not_called_like_a_user_row71(command: ClientCommand) -> None:
    store = command.store()
    alice = Identity(subject="alice", username="alice")
    session = Session(sid="s", cookie_hash="c", identity=alice, auth_time=0, created_at=0, expires_at=2**40)
    store.sessions.begin(session, ticket_hash="t")
    store.close()
    assert "A user is called alice" in command.refuses("add", "Alice", "--id", "alice", *REDIRECT)
    assert command.adds("alice", *REDIRECT)["client_id"] != "alice"


def test_an_id_is_given_once(command: ClientCommand) -> None:
    command.adds("Wiki", "--id", "wiki", *REDIRECT)
    assert "There is a client wiki already" in command.refuses("add", "Other", "--id", "wiki", *REDIRECT)


def test_a_wrong_change_changes_nothing(command: ClientCommand) -> None:
    command.adds("Wiki", "--id", "wiki", *REDIRECT)
    before = command.shows("wiki")
    assert "is plain http" in command.refuses("edit", "wiki", "--redirect-uri", "http://x.example.org")
    assert "is required" in command.refuses("edit", "wiki", "--clear", "redirect-uri")
    assert command.shows("wiki") == before


@pytest.mark.parametrize("words", CHANGES, ids=lambda words: words[0])
def test_clients_of_the_settings_are_changed_there(command: ClientCommand, words: list[str]) -> None:
    told = command.refuses(*("hub" if word == "CLIENT" else word for word in words))
    assert "is registered in the settings: change it there" in told


@pytest.mark.parametrize("words", [*CHANGES, ["show", "CLIENT"]], ids=lambda words: words[0])
@pytest.mark.parametrize("client_id", ["nobody", "", "\x1b[2J", "'; DROP TABLE stored_clients; --"])
def test_a_client_that_is_not_there_is_said_to_be_missing(
    command: ClientCommand, words: list[str], client_id: str
) -> None:
    told = command.refuses(*(client_id if word == "CLIENT" else word for word in words))
    assert f"There is no client {client_id!r}" in told


@pytest.mark.parametrize("document", ["", "{}", "[]", "null", '{"client_id": "odd", "from_the_future": 1}', "\x1b"])
def test_what_another_version_stored_is_shown_as_such_and_can_be_removed(command: ClientCommand, document: str) -> None:
    store = command.store()
    store.clients.put(StoredClient(client_id="odd", document=document, disabled=False), now=0)
    store.close()
    assert "unreadable" in command.does("list")
    assert command.shows("odd")["state"].startswith("unreadable")
    assert "cannot be read" in command.refuses("edit", "odd", "--name", "x")
    command.does("remove", "odd", "--yes")


EVERYTHING = [["list"], ["add", "A", *REDIRECT], ["show", "hub"], *CHANGES]


@pytest.mark.parametrize("words", EVERYTHING, ids=lambda words: words[0])
@pytest.mark.parametrize(
    ("settings", "says"),
    [
        pytest.param({"issuer": "", "cas_url": ""}, "PASSERELLE_CAS_URL: is required", id="no-configuration"),
        pytest.param({"config": "/no/such.toml"}, "cannot read /no/such.toml", id="no-file"),
        pytest.param({"database_url": "sqlite:////no/such/place.sqlite3"}, "PASSERELLE_DATABASE_URL", id="no-folder"),
        pytest.param(
            {"database_url": "postgresql://u:s3cret@127.0.0.1:9/x"}, "PASSERELLE_DATABASE_URL", id="no-server"
        ),
        pytest.param({"database_url": f"sqlite:///{__file__}"}, "not a database", id="not-a-database"),
    ],
)
def test_without_settings_or_database_it_says_so(
    command: ClientCommand, words: list[str], settings: dict[str, str], says: str
) -> None:
    told = command.refuses(*words, **settings)
    assert says in told
    assert "s3cret" not in told


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux")
def test_a_disk_that_takes_nothing_more_is_one_sentence(command: ClientCommand) -> None:
    with sqlite3.connect(command.database) as connection:  # as if another program had written this into it
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON stored_clients BEGIN SELECT RAISE(FAIL, 'disk full'); END"
        )
    connection.close()
    assert "The database does not do what was asked of it: disk full." in command.refuses("add", "A", *REDIRECT)


def test_a_database_that_cannot_be_written_is_one_sentence(
    command: ClientCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_only = f"sqlite:///file:{command.database}?mode=ro&uri=true"
    assert "PASSERELLE_DATABASE_URL" in command.refuses("add", "A", *REDIRECT, database_url=read_only)


def test_a_database_that_the_command_makes_is_nobody_elses_business(command: ClientCommand, tmp_path: Path) -> None:
    usual = os.umask(0o022)
    try:
        fresh = tmp_path / "fresh.sqlite3"
        assert command.runs("list", database_url=f"sqlite:///{fresh}").exit_code == 0
        assert fresh.stat().st_mode & 0o077 == 0
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(usual)
