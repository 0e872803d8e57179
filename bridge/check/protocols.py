"""Which ways of validating a ticket a CAS server knows, found out with a ticket that nobody gave out. Pure.

A server that refuses the ticket in the words of a protocol speaks that protocol. One that accepts it must never be
used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from bridge.cas.response import parse_validation
from bridge.check.findings import Finding, Told, fault, note, ok, plain, warning
from bridge.check.probe import Answer, Trouble
from bridge.errors import BridgeError, ServiceRejected, SignInDenied, TicketRejected

Way = Literal["3.0", "2.0", "saml1.1", "1.0", "json"]
Verdict = Literal["speaks", "refuses_service", "accepts", "redirects", "else"]

# In the order in which they serve a bridge: 1.0 gives a name and nothing else.
_REFUSAL = re.compile(r"CAS refused with (no code|[^\s:]+)")
PROTOCOLS: tuple[Way, ...] = ("3.0", "2.0", "saml1.1", "1.0")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """What a server said to one question."""

    verdict: Verdict
    detail: str
    url: str
    location: str = ""
    status: int = 200
    code: str = ""
    """Of a refusal, when it was another than that of an unknown ticket (§2.5.3)."""


def hear(answer: Answer | Trouble, way: Way, service: str) -> ProbeResult:
    """What an answer amounts to, by the reader of sign-ins: what works here works there."""
    url = without_query(answer.url)
    if isinstance(answer, Trouble):
        return ProbeResult(verdict="else", detail=plain(answer.detail), url=url)
    if answer.is_redirect:
        return ProbeResult(verdict="redirects", detail=f"redirect ({answer.status})", url=url, location=answer.location)
    if answer.status != 200:
        return ProbeResult(verdict="else", detail=f"status {answer.status}", url=url, status=answer.status)
    if way == "json" and not answer.body.lstrip().startswith(b"{"):
        return ProbeResult(verdict="else", detail="no JSON", url=url)
    verdict, detail = _read(answer, service)
    code = "" if verdict in ("accepts", "else") else _code_of(detail)
    return ProbeResult(verdict=verdict, detail=plain(detail), url=url, code=code)


def _code_of(detail: str) -> str:
    """From our own sentence about a refusal."""
    found = _REFUSAL.match(detail)
    return plain(found[1]) if found else ""


def _read(answer: Answer, service: str) -> tuple[Verdict, str]:
    try:
        parse_validation(answer.body, service=service, now=answer.received_at)
    except TicketRejected:
        return "speaks", "it refused a made-up ticket"
    except (ServiceRejected, SignInDenied) as error:
        return "refuses_service", error.detail
    except BridgeError as error:
        if answer.is_page:
            return "else", "a web page (HTML)"
        # A code of its own is an answer in the protocol all the same.
        return ("speaks" if error.detail.startswith("CAS refused") else "else"), error.detail
    return "accepts", "it accepted a made-up ticket"


def judge_protocols(
    about: str,
    heard: Mapping[Way, ProbeResult],
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
        if configured == "1.0":  # its "no" gives no reason: another way of asking may
            said = next((other for other in heard.values() if other.code == "INVALID_REQUEST"), said)
        if said.code:
            return _refuses_otherwise(about, said)
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


def _speaks(
    about: str, configured: Way, spoken: list[Way], heard: Mapping[Way, ProbeResult], *, wants_json: bool
) -> Finding:
    others = [way for way in spoken if way != configured]
    knows_json = "json" in heard and heard["json"].verdict in ("speaks", "refuses_service")
    also = f"; also {', '.join([*others, *(['JSON'] if knows_json else [])])}" if others or knows_json else ""
    seen = f"Protocol {configured} is answered: a made-up ticket was refused, as it should be{also}."
    if spoken[0] != configured and spoken[0] == "3.0":
        means = {
            "1.0": "1.0 gives no attributes.",
            "saml1.1": "Both give attributes; SAML 1.1 refuses sign-ins as soon as the two clocks differ.",
        }.get(configured, "3.0 is the one that promises attributes.")
        return note(about, seen, means, "Unless there is a reason, set PASSERELLE_CAS_PROTOCOL=3.0")
    if wants_json and not knows_json:
        return note(
            about, seen, "JSON is asked for, but this server answers XML.", "Nothing: XML is read all the same."
        )
    return ok(about, seen)


def _refuses_otherwise(about: str, said: ProbeResult) -> Finding:
    """A ticket that was never issued was refused for another reason than that: so may a good one be."""
    if said.code == "INVALID_REQUEST":
        return fault(
            about,
            f"{said.url} answers, but says that our parameters do not arrive (INVALID_REQUEST).",
            "Something in front of CAS, most likely its reverse proxy, drops the query: no ticket can be validated.",
            "Tell the CAS administrator; if PASSERELLE_CAS_INTERNAL_URL leads through a proxy of yours, look there.",
            Told(
                f"{said.url} answers INVALID_REQUEST, though service and ticket were given: please see whether the "
                "query reaches CAS.",
                f"{said.url} répond INVALID_REQUEST alors que service et ticket étaient donnés : merci de vérifier que "
                "les paramètres parviennent à CAS.",
            ),
        )
    return warning(
        about,
        f"A made-up ticket was refused with {said.code}, in place of INVALID_TICKET ({said.detail}).",
        "Good tickets may be refused like that as well: CAS failed, or does not take our address.",
        "If cas.service says that our address is not registered, that is why. Else try a sign-in; when it fails, ask "
        "the CAS administrator what their log says.",
        Told(
            f"{said.url} refuses any ticket of ours with {said.code}; please see what your log says of that.",
            f"{said.url} refuse tout ticket de notre part avec {said.code} ; merci de consulter votre journal.",
        ),
    )


def is_kept_out(status: int) -> bool:
    """Whether a status says nothing about the address: CAS may well be there."""
    return status in (401, 403, 429) or status >= 500


def judge_kept_out(about: str, said: ProbeResult) -> Finding:
    """Of a server that answers nothing but such a status, wherever it is asked."""
    seen = f"{said.url} answers with status {said.status}, whatever is asked there."
    if said.status == 429:
        means = "CAS, or what stands in front of it, was asked too much from this machine. The address may be right."
        return fault(about, seen, means, "Wait some minutes, then run this again; ask them for a higher limit.")
    if said.status >= 500:
        told = Told(f"{said.url} fails with status {said.status}.", f"{said.url} répond par l'état {said.status}.")
        means = "CAS is down or being maintained; the address may be right. No ticket can be validated meanwhile."
        return fault(about, seen, means, "Wait, and run this again; if it lasts, tell the CAS administrator.", told)
    return fault(
        about,
        seen,
        "CAS refuses this machine, for example because addresses have to be allowed there. The URL may be right.",
        "Ask the CAS administrator to allow the address of this machine; if they do already, correct the URL.",
        Told(
            f"{said.url} refuses our machine (status {said.status}): please allow our address to validate tickets.",
            f"{said.url} refuse notre machine (état {said.status}) : merci d'autoriser notre adresse à valider des "
            "tickets.",
        ),
    )


def _accepts_anything(about: str, said: ProbeResult) -> Finding:
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


def speaks_any(heard: Mapping[Way, ProbeResult]) -> bool:
    """Whether there is a CAS server at all."""
    return any(said.verdict in ("speaks", "refuses_service", "accepts") for said in heard.values())


def judge_only_without_service(about: str, said: ProbeResult, configured: Way) -> Finding:
    """Of a server that speaks the protocol, but not about us: that is its registry's doing, and told as that."""
    return note(
        about,
        f"Protocol {configured} is answered at {said.url}, but not when our address is named ({said.detail}).",
        "That is how some CAS servers treat an address that is not registered.",
    )


def _no_cas(about: str, said: ProbeResult, setting: str, elsewhere: str | None) -> Finding:
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


def judge_redirect(about: str, base: str, said: ProbeResult, setting: str) -> Finding:
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
