"""`passerelle sessions`: who is signed in, ending it, and who has to be told."""

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
from bridge.store import AuthorizationCode, Grant, Session, SqlStore, fingerprint

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
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqlStore]:
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
    store = SqlStore(url)
    yield store
    store.close()
    structlog.reset_defaults()  # the command has set up logging for the whole process


def sign_in(store: SqlStore, sid: str, user: str, *clients: str, age: int = 10) -> None:
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


def sids(*arguments: str) -> list[str]:
    return [session["sid"] for session in json.loads(sessions("list", "--json", *arguments).stdout)]


def test_all_live_sessions_are_listed_the_newest_first(store: SqlStore) -> None:
    sign_in(store, "old", "alice", age=20)
    sign_in(store, "new", "bob")
    sign_in(store, "over", "carol", age=4000)

    assert sids() == ["new", "old"]
    assert sids("--subject", "alice") == ["old"]
    assert sids("--subject", "carol") == []
    table = sessions("list").stdout.splitlines()
    assert table[0].split() == ["SID", "SUBJECT", "USERNAME", "AUTH_TIME", "EXPIRES"]
    assert table[1].split()[:3] == ["new", "bob", "bob@example.org"]
    assert fingerprint("cookie of new") not in sessions("list", "--json").stdout


def test_a_name_cannot_steer_the_terminal(store: SqlStore) -> None:
    sign_in(store, "sid", "\x1b[31mmallory\r\n")

    assert "?[31mmallory??" in sessions("list").stdout


def test_an_empty_list_says_so_to_people_and_is_one_to_scripts(store: SqlStore) -> None:
    assert sessions("list").stdout == "Nobody is signed in.\n"
    assert json.loads(sessions("list", "--json").stdout) == []
    assert sessions("deliveries").stdout == "Every application knows.\n"
    assert json.loads(sessions("deliveries", "--json").stdout) == []


@pytest.mark.parametrize("sid", ["sid", "-begins-with-a-dash"])
def test_one_session_is_ended_and_its_applications_are_told(store: SqlStore, sid: str) -> None:
    sign_in(store, sid, "alice", "hub", "wiki")
    sign_in(store, "other", "alice", "hub")

    done = sessions("end", sid)

    assert (done.exit_code, done.stdout) == (0, "1 session ended.\n")
    assert sids() == ["other"]
    (waiting,) = json.loads(sessions("deliveries", "--json").stdout)
    assert (waiting["client_id"], waiting["sid"], waiting["attempts"]) == ("hub", sid, 0)
    assert waiting["uri"] == "https://hub.example.org/logout"


def test_all_sessions_of_a_user_are_ended(store: SqlStore) -> None:
    for sid, user in (("one", "alice"), ("two", "alice"), ("three", "bob")):
        sign_in(store, sid, user, "hub")

    assert sessions("end", "--subject", "alice").stdout == "2 sessions ended.\n"
    assert sids() == ["three"]
    assert len(store.deliveries.waiting()) == 2


def test_a_user_is_known_by_name_after_the_session_ended_and_in_whatever_case(store: SqlStore) -> None:
    sign_in(store, "live", "alice")
    sign_in(store, "over", "carol", "wiki", age=4000)

    def subjects(name: str) -> list[str]:
        return [row["subject"] for row in json.loads(sessions("subjects", name, "--json").stdout)]

    assert subjects("ALICE@example.org") == ["alice"]
    assert subjects("Carol@Example.org") == ["carol"]
    assert subjects("alice") == []
    assert sessions("end", "--subject=carol", "--all-access").exit_code == 0
    assert subjects("carol@example.org") == []


def test_a_session_that_is_not_there_is_an_error(store: SqlStore) -> None:
    sign_in(store, "sid", "alice")
    sessions("end", "sid")

    for arguments in (("sid",), ("nothing",), ("--subject", "nobody")):
        refused = sessions("end", *arguments)
        assert refused.exit_code == 1
        assert "no such session" in refused.stderr


@pytest.mark.parametrize("arguments", [(), ("sid", "--subject", "alice")])
def test_either_a_session_or_a_user_has_to_be_named(store: SqlStore, arguments: tuple[str, ...]) -> None:
    assert sessions("end", *arguments).exit_code == 2


def test_a_delivery_that_was_given_up_shows_its_last_error(store: SqlStore) -> None:
    store.deliveries.queue([("hub", "sid", "alice", "https://hub.example.org/logout")], now=NOW)
    (taken,) = store.deliveries.take_due(now=NOW, lease=10, limit=1)
    store.deliveries.failed(taken.delivery_id, error="answered with status 500", next_attempt_at=None)

    table = sessions("deliveries").stdout
    assert "never" in table
    assert "answered with status 500" in table
