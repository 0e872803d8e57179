"""Findings about the validation protocols of a CAS server, probed with a ticket that CAS never issued. Pure.

A server that rejects the ticket in the format of a protocol supports that protocol, also with a 4xx status. A server
that accepts the ticket must never be used. A rejected ticket does not prove that the response to a valid one is usable,
so no finding replaces a protocol that responds.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal
from urllib.parse import urljoin, urlsplit

from bridge.cas.response import parse_failure, parse_validation
from bridge.check.findings import Finding, fault, join_names, note, ok, printable, warning
from bridge.check.probe import Failure, Response
from bridge.errors import (
    BridgeError,
    ServiceRejected,
    SignInDenied,
    TicketRejected,
    UpstreamError,
    UpstreamMalformed,
)
from passerelle_common.i18n import Message

ProtocolName = Literal["3.0", "2.0", "saml1.1", "1.0", "json"]
Verdict = Literal["supported", "service_rejected", "ticket_accepted", "redirect", "unsupported"]

# The most useful first: protocol 1.0 returns a user name only.
PROTOCOLS: tuple[ProtocolName, ...] = ("3.0", "2.0", "saml1.1", "1.0")
_fault, _note = partial(fault, "cas.protocol"), partial(note, "cas.protocol")
_REJECTION = re.compile(r"CAS returned (no code|[^\s:]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """The classified response to one validation request."""

    verdict: Verdict
    detail: str
    url: str
    location: str = ""
    status: int = 200
    code: str = ""  # failure code, if it is not the one for an unknown ticket (CAS §2.5.3)
    is_malformed_xml: bool = False

    @property
    def is_supported(self) -> bool:
        """Return whether the server answered in the protocol."""
        return self.verdict in ("supported", "service_rejected")


def classify_response(response: Response | Failure, protocol: ProtocolName, service: str) -> ProbeResult:
    """Classify a response to a made-up ticket with the parser that sign-ins use."""
    result = partial(ProbeResult, url=without_query(response.url))
    if isinstance(response, Failure):
        return result(verdict="unsupported", detail=printable(response.detail))
    status = response.status
    if response.is_redirect:
        return result(verdict="redirect", detail=f"redirect ({status})", location=response.location)
    failure = _failure(response, service) if 400 <= status < 500 else None
    if status != 200 and failure is None:
        return result(verdict="unsupported", detail=f"status {status}", status=status)
    if protocol == "json" and not response.body.lstrip().startswith(b"{"):
        return result(verdict="unsupported", detail="no JSON")
    error = failure or _error(response, service)
    verdict, detail = _verdict(error, response)
    found = _REJECTION.match(detail) if verdict in ("supported", "service_rejected") else None
    return result(
        verdict=verdict,
        detail=printable(detail),
        code=printable(found[1]) if found else "",
        is_malformed_xml=isinstance(error, UpstreamMalformed) and response.body.lstrip().startswith(b"<"),
    )


def _failure(response: Response, service: str) -> BridgeError | None:
    content_type = response.headers.get("content-type", "")
    return parse_failure(response.body, service=service, now=response.received_at, content_type=content_type)


def _error(response: Response, service: str) -> BridgeError | None:
    content_type = response.headers.get("content-type", "")
    try:
        parse_validation(response.body, service=service, now=response.received_at, content_type=content_type)
    except BridgeError as error:
        return error
    return None


def _verdict(error: BridgeError | None, response: Response) -> tuple[Verdict, str]:
    if error is None:
        return "ticket_accepted", "it accepted a made-up ticket"
    if isinstance(error, TicketRejected):
        return "supported", "it rejected a made-up ticket"
    if isinstance(error, ServiceRejected | SignInDenied):
        return "service_rejected", error.detail
    # A non-standard failure code is still an answer in the protocol.
    if type(error) is UpstreamError:
        return "supported", error.detail
    return "unsupported", "a web page (HTML)" if response.is_page else error.detail


def evaluate_protocols(
    results: Mapping[ProtocolName, ProbeResult],
    configured: ProtocolName,
    *,
    setting: str,
    wants_json: bool = False,
    other_url: str | None = None,
) -> Finding:
    """Compare the supported protocols with the configured one."""
    if accepting := next((result for result in results.values() if result.verdict == "ticket_accepted"), None):
        return _fault(
            f"{accepting.url} accepted a made-up ticket.",
            "An attacker could sign in as any user. This is not a CAS server, or a broken one.",
            "Do not run the bridge with it. Configure the real CAS server.",
            Message("%(url)s validates tickets that were never issued. Please fix this.", {"url": accepting.url}),
        )
    supported = [name for name in PROTOCOLS if name in results and results[name].is_supported]
    result = results[configured]
    if configured in supported:
        if configured == "1.0":  # its "no" holds no reason, so use the code of another protocol
            result = next((other for other in results.values() if other.code == "INVALID_REQUEST"), result)
        if result.code:
            return _unexpected_code(result)
        knows_json = "json" in results and results["json"].is_supported
        return _supported(configured, supported, knows_json=knows_json, wants_json=wants_json)
    if result.is_malformed_xml and "json" in results and results["json"].is_supported:
        return _fault(
            f"CAS responds at {result.url} with XML that is not well-formed, and with JSON if asked for it.",
            "Some CAS servers do not escape values. The bridge rejects their XML whole.",
            "Set PASSERELLE_CAS_FORMAT=json",
        )
    if supported:
        return _other_protocol(result, configured, supported, setting)
    advice = f"Sign in to CAS in a browser. Set {setting} to the address before /login; most are https://HOST/cas."
    return _fault(
        f"No CAS server responds at {result.url} ({result.detail}), nor at the addresses of the other protocols.",
        "The path of the URL is wrong, or another program runs there: no ticket can be validated.",
        f"A CAS server responds at {other_url}: set {setting}={other_url}" if other_url else advice,
    )


def _other_protocol(
    result: ProbeResult, configured: ProtocolName, supported: list[ProtocolName], setting: str
) -> Finding:
    """Report that only other protocols respond."""
    change = f"Remove {setting} and set" if setting == "PASSERELLE_CAS_VALIDATE_URL" else "Set"
    limits = {
        "1.0": " It returns a user name and no attributes.",
        "2.0": " If users then have no attributes, set saml1.1: Jasig CAS 3 returns them by SAML only."
        * ("saml1.1" in supported),
    }.get(supported[0], "")
    return _fault(
        f"Protocol {configured} is not supported at {result.url} ({result.detail}); {join_names(supported)} responds.",
        "Every sign-in fails when its ticket is validated.",
        f"{change} PASSERELLE_CAS_PROTOCOL={supported[0]} and sign in once.{limits}",
    )


def _supported(
    configured: ProtocolName, supported: list[ProtocolName], *, knows_json: bool, wants_json: bool
) -> Finding:
    others = [*(name for name in supported if name != configured), *(["JSON"] if knows_json else [])]
    also = f"; also supported: {', '.join(others)}" if others else ""
    seen = f"Protocol {configured} is supported: CAS rejected a made-up ticket, as it should{also}."
    if configured != "3.0" and supported[0] == "3.0":
        means = {
            "1.0": "Protocol 1.0 returns no attributes.",
            "saml1.1": "Both return attributes; SAML 1.1 rejects sign-ins as soon as the two clocks differ.",
        }.get(configured, "Only protocol 3.0 guarantees attributes.")
        do = "If sign-ins work, change nothing. After setting PASSERELLE_CAS_PROTOCOL=3.0, sign in once to test it."
        return _note(seen, means, do)
    if wants_json and not knows_json:
        return _note(seen, "The settings ask for JSON, but CAS returns XML. The bridge reads both.")
    return ok("cas.protocol", seen)


def _unexpected_code(result: ProbeResult) -> Finding:
    """Report a failure code that good tickets may receive as well."""
    facts = {"url": result.url, "code": result.code}
    if result.code == "INVALID_REQUEST":
        return _fault(
            f"{result.url} responds, but reports that our parameters do not arrive ({result.detail}).",
            "A reverse proxy in front of CAS probably drops the query: no ticket can be validated.",
            "Notify the CAS administrator. If PASSERELLE_CAS_INTERNAL_URL leads through your own proxy, check that.",
            Message("%(url)s responds INVALID_REQUEST. Please check that the query reaches CAS.", facts),
        )
    return warning(
        "cas.protocol",
        f"CAS rejected a made-up ticket with {result.code} instead of INVALID_TICKET ({result.detail}).",
        "CAS may reject valid tickets in the same way, because it fails or rejects our service URL.",
        "First fix cas.service if it reports a fault. If a sign-in then fails, ask the CAS administrator for the log.",
        Message("%(url)s rejects all our tickets with %(code)s. Please check your log for the reason.", facts),
    )


def is_blocked(status: int) -> bool:
    """Return whether a status says nothing about the URL, so CAS may be there."""
    return status in (401, 403, 429) or status >= 500


def evaluate_blocked(result: ProbeResult) -> Finding:
    """Evaluate a server that answers every request with such a status."""
    seen = f"{result.url} responds to every request with status {result.status}."
    facts = {"url": result.url, "status": result.status}
    if result.status == 429:
        means = "CAS, or a proxy in front of it, limits requests from this machine. The URL may be correct."
        return _fault(
            seen, means, "Wait some minutes, then run this again. Ask the CAS administrator for a higher limit."
        )
    if result.status >= 500:
        means = "CAS is down or under maintenance, so no ticket can be validated. The URL may be correct."
        do = "Wait and run this again. If it lasts, notify the CAS administrator."
        return _fault(seen, means, do, Message("%(url)s fails with status %(status)s.", facts))
    return _fault(
        seen,
        "CAS rejects this machine, for example because of an allow-list. The URL may be correct.",
        "Ask the CAS administrator to allow the address of this machine. If it is allowed, correct the URL.",
        Message("%(url)s rejects our machine (status %(status)s). Please allow our address.", facts),
    )


def evaluate_service_rejected(result: ProbeResult, configured: ProtocolName) -> Finding:
    """Evaluate a server that supports the protocol only for requests without our service URL."""
    seen = f"CAS speaks this protocol but rejects our service URL: {configured} at {result.url} ({result.detail})."
    return _note(seen, "Some CAS servers respond in this way while a service URL is not registered.")


def redirect_target(result: ProbeResult) -> str:
    """Return the absolute target of a redirect, without what may hold a ticket or a session."""
    return without_query(urljoin(result.url, result.location)).partition(";")[0]


def redirected_base(base: str, result: ProbeResult) -> str:
    """Return the base URL that a redirect of the validation URL suggests, or an empty string.

    Jasig CAS redirects every unknown path to its login page.
    """
    target = redirect_target(result)
    suffix = urlsplit(result.url).path.removeprefix(urlsplit(base).path)
    endings = [ending for ending in (suffix, "/login") if ending and target.endswith(ending)]
    better = target.removesuffix(endings[0]) if endings else ""
    return "" if better == base else better


def evaluate_redirect(base: str, result: ProbeResult, setting: str, better: str) -> Finding:
    """Evaluate a redirect of the validation URL, which the bridge does not follow.

    `better` is the base URL to set instead, at which CAS responds, or an empty string.
    """
    target = redirect_target(result)
    upgrade = "The server requires https. " if base.startswith("http:") and target.startswith("https:") else ""
    advice = (
        "Ask the CAS administrator for the address that validates tickets. Set PASSERELLE_CAS_URL to its beginning, or "
        "PASSERELLE_CAS_VALIDATE_URL to all of it."
    )
    return fault(
        "cas.redirect",
        f"{base} redirects to {printable(target)}.",
        f"{upgrade}The bridge follows no redirects, because they could send a ticket to another server.",
        f"Set {setting}={better}" if better else advice,
    )


def without_query(url: str) -> str:
    """Return a URL without query and fragment, which may hold a ticket."""
    return url.partition("?")[0].partition("#")[0]
