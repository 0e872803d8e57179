"""kill -9 at random moments during sign-ins and refreshes: no issued token is lost.

A commit is in the operating system's buffers when it returns (SQLite: WAL, synchronous = NORMAL), so that a crash of
the process cannot undo it. Only a power cut could, which is not simulated here.
"""

from __future__ import annotations

import http.client
import os
import random
import signal
import socket
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bridge.oauth.grants import GRACE_SECONDS
from tests.support.bridge.actors import App, Browser, Response, Wire
from tests.support.bridge.live_bridge import LiveBridge
from tests.support.cas.scripted_cas import ScriptedCas

ROUNDS = 50 if os.environ.get("PASSERELLE_TEST_LONG") else 6
SEED = 74
PEOPLE = 4
SECRET, REDIRECT_URI = "secret of the hub", "https://hub.example.org/cb"
CLIENT = {
    "client_id": "hub",
    "client_secret": SECRET,
    "redirect_uris": [REDIRECT_URI],
    "grant_types": ["authorization_code", "refresh_token"],
}
GENEROUS = ("client_failures", "address_failures", "bad_tokens", "bad_callbacks")
# Pause between two attempts of a client without a response.
RETRY_SECONDS = 0.05


class Ledger:
    """The tokens of complete responses, and all faults."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.access_tokens: list[str] = []
        self.redeemed: list[tuple[App, str]] = []
        self.faults: list[str] = []
        self.counted: Counter[str] = Counter()

    def count(self, what: str) -> None:
        with self.lock:
            self.counted[what] += 1

    def fault(self, what: str) -> None:
        with self.lock:
            self.faults.append(what)


class Person(threading.Thread):
    """A user who signs in repeatedly, with a client that refreshes its tokens."""

    def __init__(self, bridge: LiveBridge, ledger: Ledger, number: int) -> None:
        super().__init__(daemon=True)
        self.wire = Wire(bridge.url, port=bridge.port)
        self.ledger, self.chance = ledger, random.Random(f"{SEED} {number}")
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.is_set():
            try:
                self.sign_in()
            except (OSError, http.client.HTTPException):
                self.ledger.count("sign-ins that were interrupted")
                time.sleep(RETRY_SECONDS)
            except Exception as error:  # noqa: BLE001  told by the test itself
                self.ledger.fault(f"{type(error).__name__}: {error}")
                return

    def sign_in(self) -> None:
        app = App(self.wire, secret=SECRET, redirect_uri=REDIRECT_URI)
        code = app.extract_code(Browser(self.wire).sign_in(app.authorization_url(scope="openid")))
        answer = self.redeem(app, code)
        if answer is None:
            return
        self.ledger.count("sign-ins")
        token = answer.json["refresh_token"]
        if self.chance.random() < 0.3:
            with self.ledger.lock:
                self.ledger.redeemed.append((app, code))  # reused later, which revokes its tokens
            return
        self.keep(answer)
        for _ in range(self.chance.randrange(6)):
            refreshed = self.refresh(app, token)
            if refreshed is None:
                return
            self.keep(refreshed)
            token = refreshed.json["refresh_token"]
            self.ledger.count("refreshes")

    def redeem(self, app: App, code: str) -> Response | None:
        """Redeem a code; return None if the response was lost and the next attempt fails, as it must."""
        for attempt in (1, 2, 3):
            answer = self.retry(lambda: app.redeem(code), attempts=1 if attempt == 1 else 1000)
            if answer is None:
                self.ledger.count("redemptions that were interrupted")
            elif answer.status == 200:
                return answer
            elif answer.status == 400 and attempt > 1:
                return None
            else:
                self.ledger.fault(f"redemption {attempt}: {answer.status} {answer.text}")
                return None
        return None

    def refresh(self, app: App, token: str) -> Response | None:
        """Refresh with the last received token until there is a response."""
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": app.client_id}
        credentials = [*form.items(), ("client_secret", str(app.secret))]
        start = time.monotonic()
        answer = self.retry(lambda: app.request_token(credentials), attempts=1000)
        if answer is None:
            return None
        waited = time.monotonic() - start
        if answer.status == 200:
            self.ledger.count("refreshes that were interrupted" if waited > 2 * RETRY_SECONDS else "smooth refreshes")
            return answer
        if waited < GRACE_SECONDS - 1:
            self.ledger.fault(f"a refresh after {waited:.1f} s: {answer.status} {answer.text}")
        return None

    def retry(self, what: Callable[[], Response], *, attempts: int) -> Response | None:
        """Retry until there is a response."""
        for _ in range(attempts):
            try:
                answer = what()
            except (OSError, http.client.HTTPException):
                if self.over.is_set():
                    return None
                time.sleep(RETRY_SECONDS)
            else:
                return answer
        return None

    def keep(self, answer: Response) -> None:
        with self.ledger.lock:
            self.ledger.access_tokens.append(answer.json["access_token"])


@pytest.fixture
def bridge(tmp_path: Path) -> Iterator[LiveBridge]:
    with ScriptedCas() as cas:
        settings = {f"PASSERELLE_{name.upper()}_PER_MINUTE": "100000" for name in GENEROUS}
        bridge = LiveBridge(
            tmp_path, cas_url=cas.url, clients=[CLIENT], settings=settings | {"PASSERELLE_WORKERS": "2"}
        )
        yield bridge
        if bridge.process is not None:
            bridge.stop(signal.SIGKILL)


def wait_until_port_is_closed(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return
        time.sleep(0.01)
    raise AssertionError("a worker outlived kill -9 of its process group")


def check_tokens_and_codes(bridge: LiveBridge, ledger: Ledger, *, latest: int | None) -> None:
    """Check that every access token works and that no redeemed code works again."""
    wire = Wire(bridge.url, port=bridge.port)
    with ledger.lock:
        tokens = ledger.access_tokens[-latest:] if latest else list(ledger.access_tokens)
        codes, ledger.redeemed = ledger.redeemed, []
    for token in tokens:
        answer = App(wire).fetch_userinfo(token)
        assert answer.status == 200, f"an access token was lost: {answer.text}"
    for app, code in codes:
        answer = app.redeem(code)
        assert answer.status == 400, f"a code worked twice: {answer.text}"
        ledger.count("codes tried twice")


@pytest.mark.e2e
def test_random_kills_lose_no_issued_token(bridge: LiveBridge, tmp_path: Path) -> None:
    chance, ledger = random.Random(SEED), Ledger()
    people = [Person(bridge, ledger, number) for number in range(PEOPLE)]
    for number in range(ROUNDS):
        bridge.start()
        if number == 0:
            for person in people:
                person.start()
        check_tokens_and_codes(bridge, ledger, latest=20)
        time.sleep(chance.uniform(0.1, 1.2))
        bridge.stop(signal.SIGKILL)
        wait_until_port_is_closed(bridge.port)
        assert not ledger.faults, ledger.faults
    with bridge:
        time.sleep(1)
        for person in people:
            person.over.set()
        for person in people:
            person.join(20)
            assert not person.is_alive()
        check_tokens_and_codes(bridge, ledger, latest=None)
    assert not ledger.faults, ledger.faults
    assert ledger.counted["sign-ins"] > ROUNDS
    assert ledger.counted["refreshes"] > ROUNDS
    assert ledger.counted["codes tried twice"] > 0
    check_database(tmp_path / "bridge.sqlite3")
    print(f"{ROUNDS} kills: {dict(ledger.counted)}, {len(ledger.access_tokens)} access tokens all work")


def check_database(place: Path) -> None:
    connection = sqlite3.connect(place)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    finally:
        connection.close()
