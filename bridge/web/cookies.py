"""The cookies: of a browser that began a login, of one that is signed in, and of one that has signed out.

The first two hold a random id and nothing else, the third says "yes". `__Host-` keeps other hosts of the same domain
from planting them; browsers accept that prefix only with https, so a plain http issuer (loopback only) gets plain
names. The prefix wants the whole host as the cookie's path: below a path the name has that path in it, so that two
bridges on one host do not take each other's cookies for theirs.
"""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from flask import Request, Response

from bridge.store import Session, fingerprint
from bridge.web.context import AppContext

LOGIN_LIFETIME_SECONDS = 600
MAXIMAL_VALUE_LENGTH = 128


def browser_id(request: Request, context: AppContext) -> str | None:
    """The id of the browser that began a login; the same for all its tabs."""
    return _value(request, _name(context, "login"))


def remember_browser(response: Response, context: AppContext, browser: str) -> None:
    """Bind the login that begins now to this browser."""
    _set(response, context, "login", browser, LOGIN_LIFETIME_SECONDS)


def current_session(request: Request, context: AppContext) -> Session | None:
    """The session of this browser, if it is signed in."""
    value = _value(request, _name(context, "session"))
    return None if value is None else context.store.sessions.find(fingerprint(value), now=context.now())


def signed_in(response: Response, context: AppContext, session_id: str) -> Response:
    """The response that signs this browser in; the id is always a fresh one."""
    _set(response, context, "session", session_id, context.session_lifetime_seconds)
    _delete(response, context, "signed-out")
    return response


def sign_out(response: Response, context: AppContext) -> None:
    """Let this browser forget its session."""
    _delete(response, context, "session")


def want_new_login(response: Response, context: AppContext) -> None:
    """Whoever signs in next in this browser has to say who they are, although CAS may still know the last user."""
    _set(response, context, "signed-out", "yes", context.session_lifetime_seconds)


def wants_new_login(request: Request, context: AppContext) -> bool:
    """Whether `want_new_login` was the last word, or this browser's session was ended from elsewhere."""
    if _value(request, _name(context, "signed-out")) is not None:
        return True
    value = _value(request, _name(context, "session"))
    return value is not None and context.store.sessions.has_ended(fingerprint(value))


def _name(context: AppContext, purpose: str) -> str:
    # A path has dots of its own, and two paths are not to have one name.
    place = quote(urlsplit(context.issuer).path).replace(".", "%2E").replace("/", ".")
    return f"{'__Host-' if context.cookies_are_secure else ''}passerelle-{purpose}{place}"


def _value(request: Request, name: str) -> str | None:
    value = request.cookies.get(name)
    return value if value and len(value) <= MAXIMAL_VALUE_LENGTH else None


def _set(response: Response, context: AppContext, purpose: str, value: str, max_age: int) -> None:
    # Lax, not Strict: the way back from CAS and from applications is a cross-site navigation.
    response.set_cookie(
        _name(context, purpose),
        value,
        max_age=max_age,
        secure=context.cookies_are_secure,
        httponly=True,
        samesite="Lax",
        path="/",
    )


def _delete(response: Response, context: AppContext, purpose: str) -> None:
    response.delete_cookie(
        _name(context, purpose), path="/", secure=context.cookies_are_secure, httponly=True, samesite="Lax"
    )
