"""Which ways of validating a ticket a CAS server knows, found out with a ticket that nobody gave out. Pure.

A server that refuses the ticket in the words of a protocol speaks that protocol. One that accepts it must never be
used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from bridge.cas.reply import parse_validation
from bridge.check.findings import Finding, Told, fault, note, ok, plain
from bridge.check.probe import Answer, Trouble
from bridge.errors import BridgeError, ServiceNotAccepted, SignInDenied, TicketRefused

Way = Literal["3.0", "2.0", "saml1.1", "1.0", "json"]
Verdict = Literal["speaks", "refuses_service", "accepts", "redirects", "else"]

# In the order in which they serve a bridge: 1.0 gives a name and nothing else.
PROTOCOLS: tuple[Way, ...] = ("3.0", "2.0", "saml1.1", "1.0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a server said to one question."""

    verdict: Verdict
    detail: str
    url: str
    location: str = ""


def hear(answer: Answer | Trouble, way: Way, service: str) -> Heard:
    """What an answer amounts to, by the reader of sign-ins: what works here works there."""
    url = without_query(answer.url)
    if isinstance(answer, Trouble):
        return Heard(verdict="else", detail=plain(answer.detail), url=url)
    if answer.is_redirect:
        return Heard(verdict="redirects", detail=f"redirect ({answer.status})", url=url, location=answer.location)
    if answer.status != 200:
        return Heard(verdict="else", detail=f"status {answer.status}", url=url)
    if way == "json" and not answer.body.lstrip().startswith(b"{"):
        return Heard(verdict="else", detail="no JSON", url=url)
    verdict, detail = _read(answer, service)
    return Heard(verdict=verdict, detail=plain(detail), url=url)


def _read(answer: Answer, service: str) -> tuple[Verdict, str]:
    try:
        parse_validation(answer.body, service=service, now=answer.received_at)
    except TicketRefused:
        return "speaks", "it refused a made-up ticket"
    except (ServiceNotAccepted, SignInDenied) as error:
        return "refuses_service", error.detail
    except BridgeError as error:
        if answer.is_page:
            return "else", "a web page (HTML)"
        # A code of its own is an answer in the protocol all the same.
        return ("speaks" if error.detail.startswith("CAS refused") else "else"), error.detail
    return "accepts", "it accepted a made-up ticket"


def judge_protocols(
    about: str,
    heard: Mapping[Way, Heard],
    configured: Way,
    *,
    setting: str,
    wants_json: bool = False,
    elsewhere: str | None = None,
) -> Finding:
    """Of a server that answered: does it speak what is configured, and if not, what else.

    :param setting: where its address is
    :param elsewhere: a URL at the same host where a CAS server was found, if one was looked for
    """
    if accepting := [way for way, said in heard.items() if said.verdict == "accepts"]:
        return _accepts_anything(about, heard[accepting[0]])
    spoken = [way for way in PROTOCOLS if way in heard and heard[way].verdict in ("speaks", "refuses_service")]
    said = heard[configured]
    if configured in spoken:
        return _speaks(about, configured, spoken, heard, wants_json=wants_json)
    if spoken:
        best = spoken[0]
        poor = " (it gives a user name and no attributes)" if best == "1.0" else ""
        change = f"Take {setting} away and set" if setting == "PASSERELLE_CAS_VALIDATE_URL" else "Set"
        return fault(
            about,
            f"Protocol {configured} is not answered at {said.url} ({said.detail}); protocol {best} is.",
            "Every sign-in fails when its ticket is validated.",
            f"{change} PASSERELLE_CAS_PROTOCOL={best}{poor}",
        )
    return _no_cas(about, said, setting, elsewhere)


def _speaks(about: str, configured: Way, spoken: list[Way], heard: Mapping[Way, Heard], *, wants_json: bool) -> Finding:
    others = [way for way in spoken if way != configured]
    knows_json = "json" in heard and heard["json"].verdict in ("speaks", "refuses_service")
    also = f"; also {', '.join([*others, *(['JSON'] if knows_json else [])])}" if others or knows_json else ""
    seen = f"Protocol {configured} is answered: a made-up ticket was refused, as it should be{also}."
    if spoken[0] != configured and spoken[0] == "3.0":
        means = "1.0 gives no attributes." if configured == "1.0" else "3.0 is the one that promises attributes."
        return note(about, seen, means, "Unless there is a reason, set PASSERELLE_CAS_PROTOCOL=3.0")
    if wants_json and not knows_json:
        return note(
            about, seen, "JSON is asked for, but this server answers XML.", "Nothing: XML is read all the same."
        )
    return ok(about, seen)


def _accepts_anything(about: str, said: Heard) -> Finding:
    return fault(
        about,
        f"{said.url} accepted a ticket that was made up.",
        "Whoever invents a ticket is signed in as somebody: this is no CAS server, or a broken one.",
        "Do not run the bridge with it. Name the real CAS server.",
        Told(
            f"{said.url} vouches for tickets that were never issued. Please look into this at once.",
            f"{said.url} valide des tickets qui n'ont jamais été émis. Merci d'examiner cela sans attendre.",
        ),
    )


def speaks_any(heard: Mapping[Way, Heard]) -> bool:
    """Whether there is a CAS server at all."""
    return any(said.verdict in ("speaks", "refuses_service", "accepts") for said in heard.values())


def judge_only_without_service(about: str, said: Heard, configured: Way) -> Finding:
    """Of a server that speaks the protocol, but not about us: that is its registry's doing, and told as that."""
    return note(
        about,
        f"Protocol {configured} is answered at {said.url}, but not when our address is named ({said.detail}).",
        "That is how some CAS servers treat an address that is not registered.",
    )


def _no_cas(about: str, said: Heard, setting: str, elsewhere: str | None) -> Finding:
    found = f"A CAS server answers at {elsewhere}: set {setting}={elsewhere}"
    advice = (
        "Sign in to CAS in a browser, take the address up to, and without, /login, and set "
        f"{setting} to that; most are https://HOST/cas."
    )
    return fault(
        about,
        f"No CAS server answers at {said.url} ({said.detail}), nor where the other protocols would be.",
        "The URL has a wrong path, or another program answers there: no ticket can be validated.",
        found if elsewhere else advice,
    )


def judge_redirect(about: str, base: str, said: Heard, setting: str) -> Finding:
    """A redirect of the validation: followed nowhere, so it has to be configured away."""
    target, path = without_query(said.location), urlsplit(said.url).path
    own = urlsplit(base).path
    tail = path.removeprefix(own)
    better = target.removesuffix(tail) if tail and target.endswith(tail) and "://" in target else ""
    is_upgrade = base.startswith("http:") and target.startswith("https:")
    means = (
        "The server wants https, and redirects are not followed: they could take a ticket anywhere."
        if is_upgrade
        else "Redirects are not followed: they could take a ticket anywhere."
    )
    do = f"Set {setting}={better}" if better else f"Set {setting} to the address that it leads to."
    return fault(about, f"{base} redirects to {plain(target)}.", means, do)


def without_query(url: str) -> str:
    """An address as it can be shown: without what was asked."""
    return url.partition("?")[0].partition("#")[0]
