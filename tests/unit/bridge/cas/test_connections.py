"""Connections to CAS: opening, reuse and closing (cas.md case 9), on loopback."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from bridge.cas import client as client_module
from bridge.cas.client import CasClient
from bridge.errors import UpstreamError, UpstreamTimeout, UpstreamUnreachable
from tests.support.cas import cas_xml
from tests.support.cas.scripted_cas import ScriptedCas, head

SERVICE = "https://auth.localhost/cas/callback?state=Zm9v_-1"
TICKET = "ST-a.secret_ticket-1"
XML = cas_xml.success()
LIMIT = 0.3
"""Timeouts of these tests in seconds."""


@pytest.fixture
def cas() -> Iterator[ScriptedCas]:
    with ScriptedCas() as cas:
        yield cas


@pytest.fixture
def client(cas: ScriptedCas) -> Iterator[CasClient]:
    client = CasClient(cas.url, connect_timeout=LIMIT, read_timeout=LIMIT)
    yield client
    client.close()


def refusal(client: CasClient, kind: type[UpstreamError]) -> UpstreamError:
    """Validate a ticket; expect this error."""
    with pytest.raises(kind) as caught:
        client.validate(SERVICE, TICKET)
    assert type(caught.value) is kind
    assert "secret" not in caught.value.description + caught.value.detail
    return caught.value


class Listener:
    """A listening socket that counts connections and handles them as configured."""

    def __init__(self, *, answers: int | None) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/cas"
        self.questions: list[bytes] = []
        self.answers = answers
        """Requests per connection before it closes."""
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                connection = self.socket.accept()[0]
            except OSError:
                return
            with connection:
                for _ in range(self.answers or 0):
                    self.questions.append(connection.recv(65_536))
                    connection.sendall(head(200, {"Content-Length": str(len(XML))}) + XML)

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


@pytest.fixture
def closing_listener() -> Iterator[Listener]:
    listener = Listener(answers=1)
    yield listener
    listener.close()


def test_connection_is_reused() -> None:
    listener = Listener(answers=3)
    client = CasClient(listener.url, read_timeout=LIMIT)
    for _ in range(3):  # the listener serves one connection at a time, so a second one would wait
        client.validate(SERVICE, TICKET)
    assert len(listener.questions) == 3
    client.close()
    listener.close()


def test_closed_idle_connection_is_detected_before_sending(
    closing_listener: Listener,
) -> None:
    client = CasClient(closing_listener.url, read_timeout=LIMIT)
    for _ in range(3):
        client.validate(SERVICE, TICKET)
        time.sleep(0.02)  # wait until the close arrives
    assert len(closing_listener.questions) == 3
    client.close()


def test_long_idle_connection_is_closed(cas: ScriptedCas, client: CasClient, monkeypatch: pytest.MonkeyPatch) -> None:
    client.validate(SERVICE, cas.issue_ticket(SERVICE))
    kept = client._idle[0]
    assert client._idle_connection() is kept
    client._release(kept, reusable=True)
    monkeypatch.setattr(client_module, "IDLE_SECONDS_MAX", 0.0)
    assert client._idle_connection() is None
    assert kept.sock is None


def test_concurrent_validations_get_their_own_responses(cas: ScriptedCas) -> None:
    client = CasClient(cas.url, read_timeout=5)
    cas.script = lambda exchange: exchange.reply(cas_xml.signed_in(exchange.request_seen.value("ticket")[3:], {}))
    with ThreadPoolExecutor(24) as threads:
        users = list(threads.map(lambda n: client.validate(SERVICE, f"ST-user{n}").user, range(200)))
    assert users == [f"user{n}" for n in range(200)]
    assert len(client._idle) <= client_module.IDLE_CONNECTIONS_MAX
    client.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def test_refused_connection_is_retried_once_and_reported() -> None:
    port = free_port()
    error = refusal(CasClient(f"http://127.0.0.1:{port}/cas", connect_timeout=LIMIT), UpstreamUnreachable)
    assert f"http://127.0.0.1:{port}" in error.detail
    assert "refused" in error.detail.lower()


def test_one_refused_connection_does_not_fail_the_login(
    cas: ScriptedCas, client: CasClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, tried = socket.socket.connect, []

    def connect(self: socket.socket, address: object) -> None:
        tried.append(address)
        if len(tried) == 1:
            raise ConnectionRefusedError(111, "Connection refused")
        real(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", connect)
    assert client.validate(SERVICE, cas.issue_ticket(SERVICE)).user == "alice"
    assert len(tried) == 2


def test_unresponsive_server_times_out() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:  # fill the backlog of unaccepted connections
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        error = refusal(CasClient(f"http://127.0.0.1:{port}/cas", connect_timeout=LIMIT), UpstreamTimeout)
        for each in waiting:
            each.close()
    assert "firewall" in error.detail


@pytest.mark.parametrize("host", ["no-such-host.invalid", "x" * 64 + ".example"])
def test_unresolvable_host_is_reported(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_resolver(*args: object, **kwargs: object) -> None:
        "x".encode("idna") if "invalid" in host else host.encode("idna")
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_resolver)
    error = refusal(CasClient(f"http://{host}/cas", connect_timeout=5), UpstreamUnreachable)
    assert host in error.detail


def test_hanging_resolver_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: done.wait(5) and [])
    refusal(CasClient("http://cas.example/cas", connect_timeout=LIMIT), UpstreamTimeout)
    done.set()


def test_dead_address_leaves_time_for_the_next(cas: ScriptedCas, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))  # bound but not listening, so it refuses connections
        good, bad = ("127.0.0.1", cas.port), dead.getsockname()
        rows = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in (bad, good)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: rows)
        client = CasClient("http://cas.example/cas", connect_timeout=LIMIT)
        assert client.validate(SERVICE, cas.issue_ticket(SERVICE)).user == "alice"
        client.close()
