"""What keeps an application from hearing of sign-outs, judged from what was seen at its address."""

from __future__ import annotations

import threading
import time
from contextlib import nullcontext

import pytest

from bridge.check.applications import AT_ONCE, DELIVERY_SECONDS, Tried, examine_applications, judge_application
from bridge.check.asking import Asker
from bridge.check.failures import Kind
from bridge.check.probe import Place, Trouble
from bridge.oauth.backchannel import ATTEMPT_SECONDS
from bridge.settings import ClientSettings

NOW = 1_700_000_000.0
PLACE = Place(url="https://wiki.example.org")


def client(client_id: str, address: str | None) -> ClientSettings:
    return ClientSettings.model_validate(
        {"client_id": client_id, "redirect_uris": ["https://a.example.org/cb"], "backchannel_logout_uri": address}
    )


class NoNetwork(Asker):
    """Every place is reached, after a while."""

    def __init__(self, *, seconds: float = 60.0, takes: float = 0.0) -> None:
        super().__init__(lambda _: nullcontext(), seconds)
        self.takes = takes
        self.reached: list[str] = []
        self.busy = self.busiest = 0
        self._lock = threading.Lock()

    def reach(self, place: Place, *, seconds: float) -> Trouble | None:
        self.check_time(seconds)
        with self._lock:
            self.reached.append(place.url)
            self.busy += 1
            self.busiest = max(self.busiest, self.busy)
        time.sleep(self.takes)
        with self._lock:
            self.busy -= 1
        return None


def test_it_waits_as_long_as_a_delivery_does() -> None:
    assert DELIVERY_SECONDS == ATTEMPT_SECONDS


@pytest.mark.parametrize("kind", ["name", "refused", "unconnected", "silent", "tls", "http", "network"])
def test_whatever_is_in_the_way_is_a_warning_that_says_what_will_happen_and_what_to_do(kind: Kind) -> None:
    trouble = Trouble(url=PLACE.url, kind=kind, detail="a reason", numbers=())
    found = judge_application("wiki", PLACE, Tried(trouble=trouble), False, NOW)
    assert found is not None
    assert (found.level, found.to_cas) == ("warning", None)
    assert found.seen.startswith("wiki cannot be told that somebody signed out: ")
    assert "a reason" in found.seen
    assert "stays signed in there" in found.means
    assert "passerelle clients edit wiki --backchannel-logout-uri URI" in found.do
    assert "CAS" not in f"{found.seen} {found.means} {found.do}"


def test_an_address_within_the_container_is_said_to_be_one() -> None:
    place = Place(url="http://localhost:8000")
    trouble = Trouble(url=place.url, kind="refused", detail="Connection refused", numbers=("127.0.0.1",))
    found = judge_application("wiki", place, Tried(trouble=trouble), True, NOW)
    assert found is not None
    assert "the container itself" in found.means


def test_a_name_cannot_steer_a_terminal() -> None:
    trouble = Trouble(url=PLACE.url, kind="name", detail="\x1b[2J", numbers=())
    found = judge_application("\x1b[31m", PLACE, Tried(trouble=trouble), False, NOW)
    assert found is not None
    assert "\x1b" not in f"{found.seen} {found.means} {found.do}"


def test_each_place_is_tried_once_and_a_few_at_a_time() -> None:
    addresses = [f"https://app-{number}.example.org/out" for number in range(3 * AT_ONCE)]
    same = [client(f"same-{way}", f"HTTPS://App-0.example.org/{way}?x=1") for way in ("a", "b")]
    clients = [client(f"app-{number}", address) for number, address in enumerate(addresses)]
    asker = NoNetwork(takes=0.02)
    (found,) = examine_applications([*clients, *same, client("deaf", None)], (), asker, NOW)
    assert sorted(asker.reached) == sorted(address.removesuffix("/out") for address in addresses)
    assert 1 < asker.busiest <= AT_ONCE
    assert found.level == "ok"
    assert "deaf" not in found.seen


@pytest.mark.parametrize("left", [0, DELIVERY_SECONDS - 0.5])
def test_who_was_not_asked_for_want_of_time_is_said_to_be_left_out(left: float) -> None:
    """Also where some is left, but less than a delivery has: it could be blamed for what would do."""
    asker = NoNetwork(seconds=left)
    found = examine_applications([client("wiki", PLACE.url), client("blog", PLACE.url)], (), asker, NOW)
    assert asker.reached == []
    assert [one.level for one in found] == ["note", "note"]
    assert "wiki can be told of sign-outs: left out" in found[0].seen


def test_without_clients_there_is_nothing_to_say() -> None:
    assert examine_applications([client("deaf", None)], (), NoNetwork(), NOW) == []
