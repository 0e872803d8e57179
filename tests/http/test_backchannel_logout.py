"""Back-Channel Logout 1.0: applications are told that a session ended, and hear what they can verify."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from bridge.oauth import backchannel
from bridge.oauth.authority import Authority
from bridge.oauth.backchannel import LEASE_SECONDS, LOGOUT_EVENT, Deliverer
from bridge.oauth.logout import end_session
from bridge.store import LogoutDelivery
from bridge.web.context import EXTENSION
from tests.http.people import CLIENTS, Person, claims_in
from tests.http.world import ISSUER, Running, events
from tests.support.live_bridge import free_port
from tests.support.logout_receiver import LogoutReceiver

MakeBridge = Callable[..., Running]
Make = Callable[..., Running]


@pytest.fixture
def hub() -> Iterator[LogoutReceiver]:
    with LogoutReceiver() as receiver:
        yield receiver


@pytest.fixture
def wiki() -> Iterator[LogoutReceiver]:
    with LogoutReceiver() as receiver:
        yield receiver


@pytest.fixture
def make(make_bridge: MakeBridge) -> Make:
    """A bridge whose clients are told at these addresses, by client_id."""

    def make(**uris: str) -> Running:
        clients = [
            client | ({"backchannel_logout_uri": uris[client["client_id"]]} if client["client_id"] in uris else {})
            for client in CLIENTS
        ]
        return make_bridge(clients=json.dumps(clients))

    return make


def authority_of(running: Running) -> Authority:
    authority = running.app.extensions[EXTENSION].authority
    assert isinstance(authority, Authority)
    return authority


def deliver(running: Running) -> None:
    """What housekeeping does every second."""
    Deliverer(authority_of(running)).start_due()


def until(holds: Callable[[], object], within: float = 5.0) -> None:
    end = time.monotonic() + within
    while not holds():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.01)


def nothing_waits(running: Running) -> bool:
    return not running.store.deliveries.waiting()


def failed(running: Running, attempts: int) -> LogoutDelivery:
    """The one delivery that waits, once it has failed as often."""
    until(lambda: [d for d in running.store.deliveries.waiting() if d.attempts == attempts and d.last_error])
    (delivery,) = running.store.deliveries.waiting()
    return delivery


def verified(running: Running, token: str, algorithm: str) -> Any:
    """By the keys that everybody can fetch."""
    keys = KeySet.import_key_set(running.wire.ask("GET", f"{ISSUER}/.well-known/jwks.json").json)
    return jwt.decode(token, keys, [algorithm])


@pytest.mark.parametrize(
    ("client_id", "algorithm"), [("hub", "RS256"), ("wiki", "ES256")], ids=["public-RS256", "pairwise-ES256"]
)
def test_the_logout_token_is_what_the_application_can_verify(
    make: Make, hub: LogoutReceiver, client_id: str, algorithm: str
) -> None:
    running = make(**{client_id: hub.url})
    alice = Person(running)
    known = claims_in(alice.signs_in(client_id, scope="openid")["id_token"])

    end_session(authority_of(running), known["sid"])
    deliver(running)

    (told,) = hub.hears(1)
    assert (told.path, told.content_type) == ("/logout?of=app", "application/x-www-form-urlencoded")
    assert list(told.form) == ["logout_token"]
    token = verified(running, told.token, algorithm)
    assert token.header["typ"] == "logout+jwt"
    assert token.header["alg"] == algorithm
    claims = dict(token.claims)
    assert len(claims.pop("jti")) > 20
    now = int(running.clock())
    assert claims == {
        "iss": ISSUER,
        "aud": client_id,
        "sub": known["sub"],
        "sid": known["sid"],
        "iat": now,
        "exp": now + 120,
        "events": {LOGOUT_EVENT: {}},
    }
    until(lambda: nothing_waits(running))


def test_every_application_of_the_session_is_told_once_and_no_other(
    make: Make, hub: LogoutReceiver, wiki: LogoutReceiver
) -> None:
    running = make(hub=hub.url, wiki=wiki.url)
    alice, bob = Person(running), Person(running)
    alice.signs_in()
    hint = alice.signs_in(scope="openid offline_access")["id_token"]
    bob.signs_in("wiki", scope="openid")

    alice.signs_out(id_token_hint=hint)
    alice.signs_out(id_token_hint=hint)
    deliver(running)

    until(lambda: nothing_waits(running))
    assert len(hub.told) == 1
    assert wiki.told == []


@pytest.mark.parametrize("status", [200, 204])
def test_an_application_that_says_yes_is_not_asked_again(make: Make, hub: LogoutReceiver, status: int) -> None:
    hub.status = status
    running = make(hub=hub.url)
    Person(running).signs_in()
    end_all(running)

    deliver(running)
    until(lambda: nothing_waits(running))
    running.clock.advance(3600)
    deliver(running)

    assert len(hub.told) == 1


@pytest.mark.parametrize("status", [201, 302, 307, 400, 404, 500, 503])
def test_any_other_answer_is_a_failure_that_is_seen_and_tried_again(
    make: Make, hub: LogoutReceiver, logged: list[str], status: int
) -> None:
    hub.answers = [status]
    running = make(hub=hub.url)
    Person(running).signs_in()
    end_all(running)

    deliver(running)

    delivery = failed(running, attempts=1)
    assert f"answered with status {status}" in delivery.last_error
    assert delivery.next_attempt_at == int(running.clock()) + 5
    (event,) = events(logged, "logout_delivery_failed")
    assert (event["client"], event["error"]) == ("hub", delivery.last_error)
    running.clock.advance(4)
    deliver(running)
    assert len(hub.told) == 1, "too early"
    running.clock.advance(1)
    deliver(running)
    first, second = (verified(running, told.token, "RS256").claims for told in hub.hears(2))
    assert first["jti"] != second["jti"]
    assert second["iat"] == int(running.clock())
    assert all(told.path == "/logout?of=app" for told in hub.told), "a redirect was followed"
    until(lambda: nothing_waits(running))


def test_a_refused_connection_is_a_failure_that_is_seen_and_tried_again(make: Make) -> None:
    running = make(hub=f"http://127.0.0.1:{free_port()}/logout")
    Person(running).signs_in()
    end_all(running)

    deliver(running)

    assert failed(running, attempts=1).last_error == "no connection: Connection refused"


@pytest.mark.parametrize("drips", [False, True], ids=["silent", "byte-by-byte"])
def test_an_attempt_ends_after_a_total_time(
    make: Make, hub: LogoutReceiver, monkeypatch: pytest.MonkeyPatch, drips: bool
) -> None:
    monkeypatch.setattr(backchannel, "ATTEMPT_SECONDS", 0.5)
    hub.seconds, hub.drips = (0, True) if drips else (30, False)
    running = make(hub=hub.url)
    Person(running).signs_in()
    end_all(running)

    began = time.monotonic()
    deliver(running)

    assert failed(running, attempts=1).last_error == "no answer within 0.5 s"
    assert 0.4 < time.monotonic() - began < 2


def test_an_application_that_sends_rubbish_is_a_failure_like_any_other(make: Make, tmp_path: Path) -> None:
    import socket
    import threading

    with socket.create_server(("127.0.0.1", 0)) as server:

        def babble() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"\xff\xfe no protocol that anybody knows\r\n\r\n")

        threading.Thread(target=babble, daemon=True).start()
        running = make(hub=f"http://127.0.0.1:{server.getsockname()[1]}/logout")
        Person(running).signs_in()
        end_all(running)

        deliver(running)

        assert failed(running, attempts=1).last_error == "it does not speak proper HTTP (BadStatusLine)"


def test_one_slow_application_delays_nobody(make: Make, hub: LogoutReceiver, wiki: LogoutReceiver) -> None:
    hub.seconds = 3
    running = make(hub=hub.url, wiki=wiki.url)
    now = int(running.clock())
    running.store.deliveries.queue([("hub", f"sid-{i}", "alice", hub.url) for i in range(40)], now=now)
    running.store.deliveries.queue([("wiki", f"sid-{i}", "alice", wiki.url) for i in range(40)], now=now)

    began = time.monotonic()
    Deliverer(authority_of(running)).start_due()

    told = wiki.hears(40)
    assert max(each.at for each in told) - began < 2.5
    assert len({verified(running, each.token, "ES256").claims["sid"] for each in told}) == 40
    assert len(hub.told) <= 2 * backchannel.AT_ONCE_PER_CLIENT


def test_of_many_workers_one_delivers_each(make: Make, hub: LogoutReceiver) -> None:
    bridges = [make(hub=hub.url) for _ in range(3)]
    now = int(bridges[0].clock())
    bridges[0].store.deliveries.queue([("hub", f"sid-{i}", "alice", hub.url) for i in range(60)], now=now)

    deliverers = [Deliverer(authority_of(bridge)) for bridge in bridges]
    for _ in range(3):
        for deliverer in deliverers:
            deliverer.start_due()

    until(lambda: nothing_waits(bridges[0]), within=15)
    sids = [claims_in(told.token)["sid"] for told in hub.told]
    assert sorted(sids) == sorted(f"sid-{i}" for i in range(60))


def test_what_a_killed_worker_had_taken_is_delivered_by_another(make: Make, hub: LogoutReceiver) -> None:
    running = make(hub=hub.url)
    Person(running).signs_in()
    end_all(running)
    taken = running.store.deliveries.take_due(now=int(running.clock()), lease=LEASE_SECONDS, limit=5)

    deliver(running)
    assert (len(taken), hub.told) == (1, [])
    running.clock.advance(LEASE_SECONDS)
    deliver(running)

    hub.hears(1)


def test_after_a_day_it_is_given_up_and_stays_visible(make: Make, hub: LogoutReceiver, logged: list[str]) -> None:
    hub.status = 500
    running = make(hub=hub.url)
    Person(running).signs_in()
    end_all(running)
    began, moments = int(running.clock()), []

    while (delivery := attempted(running)).next_attempt_at is not None:
        moments.append(delivery.next_attempt_at - int(running.clock()))
        running.clock.advance(moments[-1])

    assert moments[:6] == [5, 30, 120, 600, 3600, 3600]
    assert 22 * 3600 < running.clock() - began <= 24 * 3600
    assert [event["client"] for event in events(logged, "logout_delivery_given_up")] == ["hub"]
    running.store.purge(now=int(running.clock()))
    assert running.store.deliveries.waiting()
    running.store.purge(now=int(running.clock()) + 7 * 24 * 3600)
    assert nothing_waits(running)


def test_a_corrected_address_is_used_for_what_waits(make: Make, hub: LogoutReceiver) -> None:
    wrong = make(hub=f"http://127.0.0.1:{free_port()}/logout")
    Person(wrong).signs_in()
    end_all(wrong)
    deliver(wrong)
    failed(wrong, attempts=1)

    corrected = make(hub=hub.url)
    corrected.clock.advance(3600)
    deliver(corrected)

    hub.hears(1)


def test_an_application_that_is_not_registered_any_more_is_not_told(make: Make, hub: LogoutReceiver) -> None:
    running = make(hub=hub.url)
    Person(running).signs_in()
    end_all(running)

    deliver(make())

    assert failed(running, attempts=1).next_attempt_at is None
    assert hub.told == []


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(make: Make, tmp_path: Path) -> None:
    import ssl

    from tests.support.certificates import write_certificate

    write_certificate(tmp_path, ["127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    with ExitStack() as stack:
        receiver = stack.enter_context(LogoutReceiver(tls=context))
        running = make(hub=receiver.url)
        Person(running).signs_in()
        end_all(running)

        deliver(running)

        assert failed(running, attempts=1).last_error.startswith("its certificate is not trusted: ")
        assert receiver.told == []


def end_all(running: Running) -> None:
    for session in running.store.sessions.all(now=int(running.clock())):
        end_session(authority_of(running), session.sid)


def attempted(running: Running) -> LogoutDelivery:
    """The one delivery after one more attempt."""
    (before,) = running.store.deliveries.waiting()
    Deliverer(authority_of(running)).start_due()
    until(lambda: running.store.deliveries.waiting()[0].attempts > before.attempts)
    # The attempt leases it for some seconds; what comes after is another moment.
    leased = int(running.clock()) + LEASE_SECONDS
    until(lambda: running.store.deliveries.waiting()[0].next_attempt_at != leased)
    (after,) = running.store.deliveries.waiting()
    return after
