"""Back-Channel Logout 1.0: failed deliveries are retried, logged and given up."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bridge.oauth import backchannel
from tests.http.deliveries import (
    attempted,
    clients_with_logout_uris,
    deliver,
    end_all,
    failed,
    nothing_waits,
    settle,
    until,
    verified,
)
from tests.http.signed_in_user import Person
from tests.http.world import Running, events
from tests.support.bridge.live_bridge import free_port
from tests.support.cas.logout_receiver import LogoutReceiver
from tests.support.certificates import write_certificate

MakeBridge = Callable[..., Running]
Make = Callable[..., Running]


@pytest.fixture
def hub() -> Iterator[LogoutReceiver]:
    with LogoutReceiver() as receiver:
        yield receiver


@pytest.fixture
def make(make_bridge: MakeBridge) -> Iterator[Make]:
    """A bridge with these back-channel logout URIs, by client_id."""
    yield lambda **uris: make_bridge(clients=clients_with_logout_uris(**uris))
    settle()


@pytest.mark.parametrize("status", [201, 302, 307, 400, 404, 500, 503])
def test_rejected_logout_token_is_retried(make: Make, hub: LogoutReceiver, logged: list[str], status: int) -> None:
    hub.answers = [status]
    running = make(hub=hub.url)
    Person(running).sign_in()
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
    first, second = (verified(running, told.token, "RS256").claims for told in hub.wait_for(2))
    assert first["jti"] != second["jti"]
    assert second["iat"] == int(running.clock())
    assert all(told.path == "/logout?of=app" for told in hub.told), "no redirect is followed"
    until(lambda: nothing_waits(running))


def test_refused_connection_is_recorded(make: Make) -> None:
    running = make(hub=f"http://127.0.0.1:{free_port()}/logout")
    Person(running).sign_in()
    end_all(running)

    deliver(running)

    assert failed(running, attempts=1).last_error == "no connection: Connection refused"


@pytest.mark.parametrize("drips", [False, True], ids=["silent", "byte-by-byte"])
def test_attempt_has_total_timeout(
    make: Make, hub: LogoutReceiver, monkeypatch: pytest.MonkeyPatch, drips: bool
) -> None:
    monkeypatch.setattr(backchannel, "ATTEMPT_SECONDS", 0.5)
    hub.seconds, hub.drips = (0, True) if drips else (30, False)
    running = make(hub=hub.url)
    Person(running).sign_in()
    end_all(running)

    deliver(running)

    assert failed(running, attempts=1).last_error == "no response within 0.5 s"


def test_invalid_http_response_is_recorded(make: Make, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def send_garbage() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"\xff\xfe no known protocol\r\n\r\n")

        threading.Thread(target=send_garbage, daemon=True).start()
        running = make(hub=f"http://127.0.0.1:{server.getsockname()[1]}/logout")
        Person(running).sign_in()
        end_all(running)

        deliver(running)

        assert failed(running, attempts=1).last_error == "invalid HTTP (BadStatusLine)"


def test_delivery_is_given_up_after_a_day(make: Make, hub: LogoutReceiver, logged: list[str]) -> None:
    hub.status = 500
    running = make(hub=hub.url)
    Person(running).sign_in()
    end_all(running)
    began, moments = int(running.clock()), []

    while (delivery := attempted(running)).next_attempt_at is not None:
        moments.append(delivery.next_attempt_at - int(running.clock()))
        running.clock.advance(moments[-1])

    assert moments[:6] == [5, 30, 120, 600, 3600, 3600]
    assert 22 * 3600 < running.clock() - began <= 24 * 3600
    assert [event["client"] for event in events(logged, "logout_delivery_given_up")] == ["hub"]
    running.store.purge(now=int(running.clock()))
    assert running.store.deliveries.list_waiting()
    running.store.purge(now=int(running.clock()) + 7 * 24 * 3600)
    assert nothing_waits(running)


def test_corrected_uri_is_used_for_waiting_deliveries(make: Make, hub: LogoutReceiver) -> None:
    wrong = make(hub=f"http://127.0.0.1:{free_port()}/logout")
    Person(wrong).sign_in()
    end_all(wrong)
    deliver(wrong)
    failed(wrong, attempts=1)

    corrected = make(hub=hub.url)
    corrected.clock.advance(3600)
    deliver(corrected)

    hub.wait_for(1)
    until(lambda: nothing_waits(corrected))


def test_removed_client_gets_no_logout_token(make: Make, hub: LogoutReceiver) -> None:
    running = make(hub=hub.url)
    Person(running).sign_in()
    end_all(running)

    deliver(make())

    assert failed(running, attempts=1).next_attempt_at is None
    assert hub.told == []


def test_untrusted_certificate_is_rejected(make: Make, tmp_path: Path) -> None:
    write_certificate(tmp_path, ["127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    with ExitStack() as stack:
        receiver = stack.enter_context(LogoutReceiver(tls=context))
        running = make(hub=receiver.url)
        Person(running).sign_in()
        end_all(running)

        deliver(running)

        assert failed(running, attempts=1).last_error.startswith("its certificate is not trusted: ")
        assert receiver.told == []
