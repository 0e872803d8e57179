"""`passerelle serve` with its default settings under load by anyone: other addresses get their responses."""

from __future__ import annotations

import http.client
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from werkzeug.datastructures import Headers

from tests.http.world import CLIENTS, HUB_SECRET
from tests.support.bridge.actors import App, Browser, Response, Wire
from tests.support.bridge.live_bridge import LiveBridge
from tests.support.cas import cas_scripts
from tests.support.cas.scripted_cas import ALICE, ScriptedCas

CLIENT_SECONDS = 15
BEGINNINGS = 10_000
MAX_GROWTH_BYTES = 64 * 2**20
# Bytes of other sites, which do not concern the bridge.
FOREIGN = {"Cookie": "n=J\xfcrgen", "User-Agent": "Zo\xeb", "Accept-Language": "fr\xff", "Referer": "https://\xe9/"}


class OtherAddress(Wire):
    """A transport from another address, with headers of any bytes."""

    def __init__(self, bridge: LiveBridge) -> None:
        super().__init__(bridge.url)
        self.bridge = bridge

    def send(self, method: str, url: str, *, headers: object = None, body: bytes | str = b"") -> Response:
        sent = {**FOREIGN, **(headers if isinstance(headers, dict) else {})}
        sent["Cookie"] = f"{FOREIGN['Cookie']}; {sent['Cookie']}"
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.bridge.port, timeout=CLIENT_SECONDS, source_address=("127.0.0.2", 0)
        )
        try:
            connection.request(method, url.removeprefix(self.bridge.url), body, sent)
            response = connection.getresponse()
            return Response(response.status, Headers(response.getheaders()), response.read())
        finally:
            connection.close()


@pytest.fixture(scope="module")
def cas() -> Iterator[ScriptedCas]:
    with ScriptedCas() as server:
        server.sign_in_as("alice", ALICE)
        yield server


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory, cas: ScriptedCas) -> Iterator[LiveBridge]:
    bridge = LiveBridge(tmp_path_factory.mktemp("overload"), cas_url=cas.url, clients=CLIENTS)
    bridge.environment.pop("PASSERELLE_WORKERS")
    with bridge:
        yield bridge


@contextmanager
def attack(kind: str, bridge: LiveBridge, count: int, targets: list[str] | None = None) -> Iterator[Callable[[], bool]]:
    """Attack from another process; the value tells whether the attack goes on."""
    command = [sys.executable, "-m", "tests.support.bridge.attacks", kind, str(bridge.port), str(count)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write("\n".join(targets or []))
        process.stdin.close()
        assert process.stdout.readline() == "open\n"
        yield lambda: process.poll() is None
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def p99(seconds: list[float]) -> str:
    """Return the 99th percentile in milliseconds."""
    return f"{statistics.quantiles(seconds, n=100, method='inclusive')[98] * 1000:.0f}"


class Victim:
    """A user and an application, at another address than the attacker."""

    def __init__(self, bridge: LiveBridge) -> None:
        self.wire = OtherAddress(bridge)
        self.token = self.sign_in()
        self.seconds: dict[str, list[float]] = {"jwks": [], "userinfo": [], "sign-in": []}

    def sign_in(self) -> str:
        browser, hub = Browser(self.wire), App(self.wire, secret=HUB_SECRET)
        return str(hub.redeem(hub.extract_code(browser.sign_in(hub.authorization_url()))).json["access_token"])

    def measure(self, what: str, act: Callable[[], object]) -> None:
        began = time.perf_counter()
        act()
        self.seconds[what].append(time.perf_counter() - began)

    def read(self) -> None:
        """Request the keys and the user's data once."""
        hub = App(self.wire, secret=HUB_SECRET)
        self.measure("jwks", lambda: self.expect(200, self.wire.send("GET", "/.well-known/jwks.json")))
        self.measure("userinfo", lambda: self.expect(200, hub.fetch_userinfo(self.token)))

    def expect(self, status: int, response: Response) -> None:
        assert response.status == status, response.text

    def report(self, attack_name: str) -> str:
        times = ", ".join(
            f"{what} {p99(seconds)} ms ({len(seconds)})" for what, seconds in self.seconds.items() if seconds
        )
        return f"{attack_name}: p99 of {times}"


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        ("unfinished-bodies", 64),
        ("unfinished-chunks", 64),
        ("expect-continue", 64),
        ("unfinished-headers", 64),
        ("idle", 1100),
    ],
)
def test_held_connections_do_not_block_others(serving: LiveBridge, figures: list[str], kind: str, count: int) -> None:
    victim = Victim(serving)
    with attack(kind, serving, count):
        for _ in range(10):
            victim.read()
            victim.measure("sign-in", victim.sign_in)
    figures.append(victim.report(f"{count} {kind}"))


def test_unfinished_body_is_closed(serving: LiveBridge) -> None:
    with attack("unfinished-bodies", serving, 1) as goes_on:
        deadline = time.monotonic() + CLIENT_SECONDS
        while goes_on() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not goes_on()


def test_sign_in_beginnings_do_not_block_others(serving: LiveBridge, figures: list[str]) -> None:
    victim, hub = Victim(serving), App(OtherAddress(serving), secret=HUB_SECRET)
    before = database_size(serving)
    with attack("requests", serving, BEGINNINGS, [hub.authorization_url().removeprefix(serving.url)]) as goes_on:
        while goes_on():
            victim.read()
            victim.measure("sign-in", victim.sign_in)
    growth = database_size(serving) - before
    figures.append(f"{victim.report(f'{BEGINNINGS} sign-in beginnings')}, {growth / 2**20:.1f} MiB on disk")
    assert growth < MAX_GROWTH_BYTES


def database_size(bridge: LiveBridge) -> int:
    """Return the bytes of the database and of its write-ahead log."""
    path = Path(bridge.environment["PASSERELLE_DATABASE_URL"].removeprefix("sqlite:///"))
    return path.stat().st_size + Path(f"{path}-wal").stat().st_size


def test_hanging_cas_does_not_block_others(serving: LiveBridge, cas: ScriptedCas, figures: list[str]) -> None:
    victim, wire = Victim(serving), Wire(serving.url, port=serving.port)
    callbacks = []
    for _ in range(64):
        browser, hub = Browser(wire), App(wire, secret=HUB_SECRET)
        target = browser.log_in_at_cas(browser.get(hub.authorization_url())).removeprefix(serving.url)
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        callbacks.append(f"{target}\t{cookie}")
    cas.script = cas_scripts.never_answers()
    try:
        with attack("requests", serving, 1, callbacks) as goes_on:
            while goes_on():
                victim.read()
    finally:
        cas.script = None
    figures.append(victim.report("64 callbacks on a hanging CAS"))
    assert serving.log.count('"kind": "UpstreamTimeout"') + serving.log.count('"kind": "UpstreamBusy"') == 64
