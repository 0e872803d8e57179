"""Whether CAS's word that a session is over would reach us. Pure."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from urllib.parse import urlencode

from bridge.check.findings import Finding, duration, fault, left_out, note, ok, plain
from bridge.check.probe import Answer, Trouble
from bridge.check.protocols import without_query

REQUEST_ID = "x-request-id"
LONG_AGO_SECONDS = 7 * 86400
MANY_SIGN_INS = 10


def logout_form(ticket: str, instant: str) -> str:
    """The form that CAS posts (§2.3.3), about a ticket that nobody ever had: it ends nothing.

    :param instant: the time in ISO 8601
    """
    return urlencode({"logoutRequest": _message(ticket, instant)})


def logout_query(ticket: str, instant: str) -> str:
    """The same as a browser carries it: deflated, in base64."""
    deflated = zlib.compress(_message(ticket, instant).encode())
    return urlencode({"logoutRequest": base64.b64encode(deflated).decode()})


def _message(ticket: str, instant: str) -> str:
    return (
        '<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" '
        f'ID="LR-passerelle-check" Version="2.0" IssueInstant="{instant}">'
        '<saml:NameID xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">@NOT_USED@</saml:NameID>'
        f"<samlp:SessionIndex>{ticket}</samlp:SessionIndex></samlp:LogoutRequest>"
    )


def judge_logout(about: str, answer: Answer | Trouble, url: str) -> Finding:
    """Of our own address, asked from outside."""
    if isinstance(answer, Trouble):
        return _blocked(about, url, f"gave no answer ({plain(answer.detail)})")
    if answer.is_redirect:
        return _blocked(about, url, f"redirects to {plain(without_query(answer.location))}")
    is_ours = REQUEST_ID in answer.headers
    if answer.status == 200 and is_ours:
        return ok(about, f"A logout request reaches the bridge at {url}.")
    if answer.status == 200:
        return _blocked(about, url, "is answered by another program (no X-Request-Id), with a page or a login form")
    if is_ours and answer.status in (404, 405):
        return fault(
            about,
            f"The bridge at {url} does not know that address (status {answer.status}).",
            "An older version of Passerelle runs there: users stay signed in after they signed out at CAS.",
            "Upgrade and restart it.",
        )
    who = "by the bridge" if is_ours else "by something in front of the bridge"
    return _blocked(about, url, f"is answered with status {answer.status} {who}")


def judge_query(about: str, answer: Answer | Trouble, url: str) -> Finding:
    """Whether queries reach the bridge, by a logout request that is carried in one."""
    if isinstance(answer, Answer) and REQUEST_ID in answer.headers:
        if answer.status == 200:
            return ok(about, "The query of an address reaches the bridge.")
        if answer.status == 400:
            return fault(
                about,
                f"The query of {url} does not reach the bridge.",
                "The reverse proxy drops it: sign-ins begin and end with what stands there, so nobody can sign in.",
                "Let the proxy hand on the whole address: with nginx, `proxy_pass` without a path, or with "
                "$is_args$args behind it.",
            )
    why = answer.detail if isinstance(answer, Trouble) else f"a GET of {url} is answered with status {answer.status}"
    return left_out(about, "Whether queries reach the bridge", plain(why))


def _blocked(about: str, url: str, how: str) -> Finding:
    return fault(
        about,
        f"A logout request to {url} {how}.",
        "CAS cannot tell us who signed out: users stay signed in here and in the applications.",
        "Let POST through to that address in the reverse proxy: no login, no form token, no redirect, no filter.",
    )


def judge_last_logout(about: str, last: int | None, *, began: Sequence[int], url: str, now: float) -> Finding:
    """Whether CAS is heard.

    :param last: when CAS last ended a session here, or one that had ended already; Unix seconds
    :param began: when the newest sessions began, likewise
    """
    if last is not None:
        since, ago = sum(one > last for one in began), duration(now - last)
        if now - last < LONG_AGO_SECONDS or since < MANY_SIGN_INS:
            return ok(about, f"CAS last ended a session here {ago} ago.")
        return note(
            about,
            f"CAS last ended a session here {ago} ago; {since} or more have begun since.",
            "Perhaps CAS can no longer reach us, or lost our logout URL.",
            f"Sign in, sign out at CAS, run this again. If this stays, ask the CAS administrator to look for {url} in "
            "their log.",
        )
    if not began:
        return left_out(about, "Whether CAS reports who signs out", "nobody has signed in yet")
    return note(
        about,
        "CAS has not ended any session here that is still remembered.",
        "Nobody signed out at CAS lately, or CAS cannot reach us: its network, its trust in our certificate, or its "
        "registry (no logout URL) prevents it.",
        f"Sign in, sign out at CAS, run this again. If this stays, ask the CAS administrator to look for {url} in "
        "their log.",
    )
