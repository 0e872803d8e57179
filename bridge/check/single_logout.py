"""Test logout requests, and findings about whether logout requests from CAS reach the bridge. Pure."""

import base64
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import urlencode

from bridge.check.findings import Finding, fault, format_duration, note, ok, printable, skipped
from bridge.check.probe import Failure, Response
from bridge.check.protocols import without_query

REQUEST_ID = "x-request-id"
STALE_SECONDS = 7 * 86400
STALE_SIGN_INS = 10

_LOGOUT_REQUEST = (
    '<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" '
    'ID="LR-passerelle-check" Version="2.0" IssueInstant="{instant}">'
    '<saml:NameID xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">@NOT_USED@</saml:NameID>'
    "<samlp:SessionIndex>{ticket}</samlp:SessionIndex></samlp:LogoutRequest>"
)


def _logout_request(ticket: str, now: float) -> str:
    return _LOGOUT_REQUEST.format(ticket=ticket, instant=f"{datetime.fromtimestamp(now, UTC):%Y-%m-%dT%H:%M:%SZ}")


def logout_form(ticket: str, now: float) -> str:
    """Return the form that CAS posts (§2.3.3) at a time in Unix seconds."""
    return urlencode({"logoutRequest": _logout_request(ticket, now)})


def logout_query(ticket: str, now: float) -> str:
    """Return the same request as a query for the front channel: deflated, then base64."""
    return urlencode({"logoutRequest": base64.b64encode(zlib.compress(_logout_request(ticket, now).encode())).decode()})


def evaluate_logout_request(response: Response | Failure, url: str) -> Finding:
    """Evaluate whether a posted logout request reaches the bridge."""
    if isinstance(response, Failure):
        return _blocked(url, f"received no response ({printable(response.detail)})")
    if response.is_redirect:
        return _blocked(url, f"was redirected to {printable(without_query(response.location))}")
    is_ours = REQUEST_ID in response.headers
    if response.status == 200 and is_ours:
        return ok("logout.reach", f"A logout request reaches the bridge at {url}.")
    if response.status == 200:
        return _blocked(url, "was answered by another program (no X-Request-Id) with a page or a login form")
    if is_ours and response.status in (404, 405):
        seen = f"The bridge at {url} does not know that path (status {response.status})."
        means = "An older version of Passerelle runs there. Users stay signed in after they sign out at CAS."
        return fault("logout.reach", seen, means, "Upgrade and restart it.")
    server = "the bridge" if is_ours else "a server in front of the bridge"
    return _blocked(url, f"was answered with status {response.status} by {server}")


def _blocked(url: str, result: str) -> Finding:
    return fault(
        "logout.reach",
        f"A logout request to {url} {result}.",
        "CAS cannot notify the bridge of sign-outs. Users stay signed in here and in the applications.",
        "Allow POST to that URL in the reverse proxy, without a login, form token, redirect or filter.",
    )


def evaluate_query(response: Response | Failure, url: str) -> Finding:
    """Evaluate whether queries reach the bridge, with a logout request in a query."""
    if isinstance(response, Failure):
        return skipped("public.query", "Queries to the bridge", printable(response.detail))
    is_ours = REQUEST_ID in response.headers
    if is_ours and response.status == 200:
        return ok("public.query", "The query of a URL reaches the bridge.")
    if is_ours and response.status == 400:
        seen = f"The query of {url} does not reach the bridge."
        means = "The reverse proxy drops it. Sign-ins depend on the query, so users cannot sign in."
        do = "Forward the whole URL; with nginx, use `proxy_pass` without a path, or append $is_args$args."
        return fault("public.query", seen, means, do)
    return skipped("public.query", "Queries to the bridge", f"a GET of {url} returned status {response.status}")


def evaluate_last_logout(last: int | None, *, began: Sequence[int], url: str, now: float) -> Finding:
    """Evaluate whether logout requests from CAS arrive; all times are in Unix seconds."""
    do = f"Sign in, sign out at CAS, run this again. If this stays, ask for entries about {url} in the log of CAS."
    if last is None:
        if not began:
            return skipped("logout.last", "Logout requests from CAS", "there has been no sign-in yet")
        means = (
            "Either no user signed out at CAS, or CAS cannot reach the bridge. Possible causes are its network, its "
            "trust in our certificate, and a registration without logout URL."
        )
        return note("logout.last", "CAS has ended no session that the database still holds.", means, do)
    later = sum(one > last for one in began)
    seen = f"CAS last ended a session here {format_duration(now - last)} ago"
    if now - last < STALE_SECONDS or later < STALE_SIGN_INS:
        return ok("logout.last", f"{seen}.")
    means = "CAS may no longer reach the bridge, or its registration may have lost the logout URL."
    return note("logout.last", f"{seen}; {later} or more sessions have begun since.", means, do)
