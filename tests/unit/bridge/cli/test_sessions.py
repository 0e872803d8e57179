"""`passerelle sessions` and `passerelle logout-deliveries`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner, Result

from bridge.cli import main
from bridge.identity import Identity
from bridge.store import AuthorizationCode, Grant, Session, Store, fingerprint

NOW = int(time.time())
CLIENTS = [
    {
        "client_id": "hub",
        "client_secret": "secret",
        "redirect_uris": ["https://hub.example.org/cb"],
        "backchannel_logout_uri": "https://hub.example.org/logout",
    },
    {"client_id": "wiki", "client_secret": "secret", "redirect_uris": ["https://wiki.example.org/cb"]},
]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path}/bridge.sqlite3"
    settings = {
        "ISSUER": "https://auth.example.org",
        "CAS_URL": "https://sso.example.org/cas",
        "SECRET_KEY": "the key of the tests, long enough",
        "DATABASE_URL": url,
        "CLIENTS": json.dumps(CLIENTS),
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"PASSERELLE_{name}", value)
    store = Store(url)
    yield store
    store.close()
    structlog.reset_defaults()  # the command configured logging for the whole process


def begin_session(store: Store, sid: str, user: str, *clients: str, age: int = 10) -> None:
    identity = Identity(subject=user, username=f"{user}@example.org")
    cookie = fingerprint(f"cookie of {sid}")
    times = {"auth_time": NOW - age, "created_at": NOW - age, "expires_at": NOW - age + 3600}
    session = Session(sid=sid, cookie_hash=cookie, identity=identity, **times)
    store.sessions.begin(session, ticket_hash=fingerprint(f"ticket of {sid}"))
    for client_id in clients:
        grant = Grant(
            grant_id=f"{sid} {client_id}",
            client_id=client_id,
            sid=sid,
            identity=identity,
            scope="openid",
            request="{}",
            auth_time=NOW,
            offline=False,
            created_at=NOW,
        )
        code = AuthorizationCode(
            code_hash=fingerprint(grant.grant_id), grant_id=grant.grant_id, issued_at=NOW, expires_at=NOW + 60
        )
        store.grants.begin_with_code(grant, code)


def sessions(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["sessions", *arguments])


def deliveries(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["logout-deliveries", "list", *arguments])


def sids(*arguments: str) -> list[str]:
    return [session["sid"] for session in json.loads(sessions("list", "--json", *arguments).stdout)]


def test_sessions_are_listed_newest_first(store: Store) -> None:
    begin_session(store, "old", "alice", age=20)
    begin_session(store, "new", "bob")
    begin_session(store, "expired", "carol", age=4000)

    assert sids() == ["new", "old"]
    assert sids("--subject", "alice") == ["old"]
    assert sids("--subject", "carol") == []
    table = sessions("list").stdout.splitlines()
    assert table[0].split() == ["SID", "SUBJECT", "USERNAME", "AUTH_TIME", "EXPIRES"]
    assert table[1].split()[:3] == ["new", "bob", "bob@example.org"]
    assert fingerprint("cookie of new") not in sessions("list", "--json").stdout


def test_names_cannot_control_the_terminal(store: Store) -> None:
    begin_session(store, "sid", "\x1b[31mmallory\r\n")

    assert "?[31mmallory??" in sessions("list").stdout


def test_empty_list_in_text_and_json(store: Store) -> None:
    assert sessions("list").stdout == "There are no sessions.\n"
    assert json.loads(sessions("list", "--json").stdout) == []
    assert deliveries().stdout == "There are no pending deliveries.\n"
    assert json.loads(deliveries("--json").stdout) == []


@pytest.mark.parametrize("sid", ["sid", "-begins-with-a-dash"])
def test_ending_a_session_notifies_clients(store: Store, sid: str) -> None:
    begin_session(store, sid, "alice", "hub", "wiki")
    begin_session(store, "other", "alice", "hub")

    done = sessions("end", sid)

    assert (done.exit_code, done.stdout) == (0, "1 session ended.\n")
    assert sids() == ["other"]
    (pending,) = json.loads(deliveries("--json").stdout)
    assert (pending["client_id"], pending["sid"], pending["attempts"]) == ("hub", sid, 0)
    assert pending["uri"] == "https://hub.example.org/logout"


def test_all_sessions_of_a_subject_are_ended(store: Store) -> None:
    for sid, user in (("one", "alice"), ("two", "alice"), ("three", "bob")):
        begin_session(store, sid, user, "hub")

    assert sessions("end", "--subject", "alice").stdout == "2 sessions ended.\n"
    assert sids() == ["three"]
    assert len(store.deliveries.list_waiting()) == 2


def test_subjects_are_found_after_session_in_any_case(store: Store) -> None:
    begin_session(store, "active", "alice")
    begin_session(store, "expired", "carol", "wiki", age=4000)

    def subjects(name: str) -> list[str]:
        return [row["subject"] for row in json.loads(sessions("subjects", name, "--json").stdout)]

    assert subjects("ALICE@example.org") == ["alice"]
    assert subjects("Carol@Example.org") == ["carol"]
    assert subjects("alice") == []
    assert sessions("end", "--subject=carol", "--all-access").exit_code == 0
    assert subjects("carol@example.org") == []


def test_unknown_session_is_an_error(store: Store) -> None:
    begin_session(store, "sid", "alice")
    sessions("end", "sid")

    for arguments in (("sid",), ("nothing",), ("--subject", "unknown")):
        result = sessions("end", *arguments)
        assert result.exit_code == 1
        assert "No such session" in result.stderr


@pytest.mark.parametrize("arguments", [(), ("sid", "--subject", "alice")])
def test_end_requires_session_or_subject(store: Store, arguments: tuple[str, ...]) -> None:
    assert sessions("end", *arguments).exit_code == 2


def test_failed_delivery_shows_last_error(store: Store) -> None:
    store.deliveries.queue([("hub", "sid", "alice", "https://hub.example.org/logout")], now=NOW)
    (taken,) = store.deliveries.lease_due(now=NOW, lease=10, limit=1)
    store.deliveries.mark_failed(taken.delivery_id, error="answered with status 500", next_attempt_at=None)

    table = deliveries().stdout
    assert "never" in table
    assert "answered with status 500" in table
