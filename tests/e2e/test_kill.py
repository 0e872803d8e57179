"""kill -9 at random moments, while people sign in and applications refresh: nothing that was given is lost.

A commit is in the operating system's hands when it returns (SQLite: WAL, synchronous = NORMAL), so that no death of
the process can take it back; only a power cut could, and that is not played here.
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

from bridge.oauth.grants.refresh import GRACE_SECONDS
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
# Between two attempts of an application that gets no answer.
PATIENCE_SECONDS = 0.05


class Ledger:
    """What was given in answers that arrived whole, and what happened that must not."""

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
    """Signs in again and again; in between, the application refreshes what it was given."""

    def __init__(self, bridge: LiveBridge, ledger: Ledger, number: int) -> None:
        super().__init__(daemon=True)
        self.wire = Wire(bridge.url, port=bridge.port)
        self.ledger, self.chance = ledger, random.Random(f"{SEED} {number}")
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.is_set():
            try:
                self.live()
            except (OSError, http.client.HTTPException):
                self.ledger.count("sign-ins that were interrupted")
                time.sleep(PATIENCE_SECONDS)
            except Exception as error:  # noqa: BLE001  told by the test itself
                self.ledger.fault(f"{type(error).__name__}: {error}")
                return

    def live(self) -> None:
        app = App(self.wire, secret=SECRET, redirect_uri=REDIRECT_URI)
        code = app.extract_code(Browser(self.wire).sign_in(app.authorization_url(scope="openid")))
        answer = self.redeem(app, code)
        if answer is None:
            return
        self.ledger.count("sign-ins")
        token = answer.json["refresh_token"]
        if self.chance.random() < 0.3:
            with self.ledger.lock:
                self.ledger.redeemed.append((app, code))  # to be tried again: what it gave is then taken back
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
        """None when the answer was lost: then a second attempt has to fail, unless the first was never carried out."""
        for attempt in (1, 2, 3):
            answer = self.patiently(lambda: app.redeem(code), attempts=1 if attempt == 1 else 1000)
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
        """With the last token that arrived, until there is an answer."""
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": app.client_id}
        credentials = [*form.items(), ("client_secret", str(app.secret))]
        start = time.monotonic()
        answer = self.patiently(lambda: app.request_token(credentials), attempts=1000)
        if answer is None:
            return None
        waited = time.monotonic() - start
        if answer.status == 200:
            self.ledger.count(
                "refreshes that were interrupted" if waited > 2 * PATIENCE_SECONDS else "smooth refreshes"
            )
            return answer
        if waited < GRACE_SECONDS - 1:
            self.ledger.fault(f"a refresh after {waited:.1f} s: {answer.status} {answer.text}")
        return None

    def patiently(self, what: Callable[[], Response], *, attempts: int) -> Response | None:
        """Asks until there is an answer."""
        for _ in range(attempts):
            try:
                answer = what()
            except (OSError, http.client.HTTPException):
                if self.over.is_set():
                    return None
                time.sleep(PATIENCE_SECONDS)
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


def wait_until_nobody_listens(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return
        time.sleep(0.01)
    raise AssertionError("a worker outlived kill -9 of its process group")


def check_nothing_is_lost(bridge: LiveBridge, ledger: Ledger, *, latest: int | None) -> None:
    """Every access token works; no code that gave tokens gives any again."""
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
        check_nothing_is_lost(bridge, ledger, latest=20)
        time.sleep(chance.uniform(0.1, 1.2))
        bridge.stop(signal.SIGKILL)
        wait_until_nobody_listens(bridge.port)
        assert not ledger.faults, ledger.faults
    with bridge:
        time.sleep(1)
        for person in people:
            person.over.set()
        for person in people:
            person.join(20)
            assert not person.is_alive()
        check_nothing_is_lost(bridge, ledger, latest=None)
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
