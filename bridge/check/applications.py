"""Whether the applications that are told of sign-outs can be: connected as a delivery connects, and told nothing.

A delivery knows this system's authorities alone (`SSL_CERT_FILE` names others) and no proxy, and waits for as long as
is waited here.
"""

from __future__ import annotations

import queue
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from bridge.check.asking import Asker, BackgroundTask, TimeIsOver
from bridge.check.certificates import Certificate, Trust
from bridge.check.findings import Finding, left_out, listed, ok, plain, warning
from bridge.check.probe import Place, Trouble
from bridge.check.reach import Server, judge_trouble
from bridge.settings import ClientSettings

DELIVERY_SECONDS = 5.0  # what bridge/oauth/backchannel.py gives an attempt; a test holds the two together
AT_ONCE = 16
ABOUT = "logout.application"

_MEANS = (
    "The application does not hear that somebody signed out elsewhere: whoever did stays signed in there, until its "
    "own session ends. The bridge tries each sign-out again for a day, then gives it up."
)
_OUR_TRUST = (
    "SSL_CERT_FILE (in the environment of the bridge and of this command; it replaces the system's authorities)"
)
_REMEDY = "See that it runs, and what its proxy and the firewalls between the bridge and it let through."


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of one place."""

    trouble: Trouble | None = None
    chain: Sequence[Certificate] = ()
    """What was seen there, when it is a certificate that is not trusted."""


def examine_applications(
    clients: Iterable[ClientSettings], in_settings: Collection[str], asker: Asker, now: float
) -> list[Finding]:
    """A finding for each application that could not be told, and one for all the others.

    :param in_settings: the client_ids of those that are corrected in the settings
    :param now: Unix seconds
    """
    told = {client.client_id: client.backchannel_logout_uri for client in clients if client.backchannel_logout_uri}
    places = {client_id: _place(address) for client_id, address in told.items()}
    tried = _try_all(places.values(), asker)
    found = [
        finding
        for client_id, place in places.items()
        if (finding := judge_application(client_id, place, tried.get(place), client_id in in_settings, now))
    ]
    if reached := [name for name, place in places.items() if (one := tried.get(place)) and one.trouble is None]:
        found.append(ok(ABOUT, f"Can be told that somebody signed out: {listed(reached)}."))
    return found


def judge_application(
    client_id: str, place: Place, tried: Tried | None, is_in_settings: bool, now: float
) -> Finding | None:
    """What keeps an application from being told; None for nothing. Pure.

    :param tried: None when there was no time
    """
    name = plain(client_id)
    if tried is None:
        return left_out(ABOUT, f"Whether {name} can be told of sign-outs", "the time for the whole check was over")
    if tried.trouble is None:
        return None
    address = f"the backchannel_logout_uri of {name}"
    address += (
        " in the settings" if is_in_settings else f" (`passerelle clients edit {name} --backchannel-logout-uri URI`)"
    )
    server = Server(about=ABOUT, name="The application", setting=address, remedy=f"{_REMEDY} Or correct {address}.")
    trust = Trust(whose="the application", setting=_OUR_TRUST, now=now)
    judged = judge_trouble(server, place, tried.trouble, tried.chain, trust)
    seen = f"{name} cannot be told that somebody signed out: {_lowered(judged.seen)}"
    # What a distrusted certificate means is said there of sign-ins.
    why = "" if tried.trouble.kind == "certificate" else f"{judged.means} "
    return warning(ABOUT, seen, f"{why}{_MEANS}", judged.do)


def _lowered(sentence: str) -> str:
    return f"{sentence[:1].lower()}{sentence[1:]}"


def _place(address: str) -> Place:
    """Without path and query, of which nothing is asked."""
    parts = urlsplit(address)
    return Place(url=f"{parts.scheme}://{parts.netloc}".lower())


def _try_all(places: Iterable[Place], asker: Asker) -> Mapping[Place, Tried]:
    """Each place once, a few at a time."""
    todo: queue.SimpleQueue[Place] = queue.SimpleQueue()
    for place in (different := dict.fromkeys(places)):
        todo.put(place)
    tried: dict[Place, Tried] = {}

    def work() -> None:
        while True:
            try:
                place = todo.get_nowait()
                tried[place] = _try(place, asker)
            except (queue.Empty, TimeIsOver):
                return

    for aside in [BackgroundTask(work) for _ in range(min(AT_ONCE, len(different)))]:
        aside.result()
    return tried


def _try(place: Place, asker: Asker) -> Tried:
    trouble = asker.reach(place, seconds=DELIVERY_SECONDS)
    is_distrusted = trouble is not None and trouble.kind == "certificate"
    return Tried(trouble=trouble, chain=asker.certificates(place) if is_distrusted else ())
