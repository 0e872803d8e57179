"""Cookies for the login, the session and the sign-out of a browser, and form tokens bound to the session.

The login and session cookies hold a random id, the sign-out cookie holds "yes". The prefix `__Host-` stops other
hosts of the same domain from setting them. Browsers accept the prefix with https only, so a plain http issuer
(loopback) uses names without it. The prefix also requires the path `/`. Below a path, the cookie name contains that
path, so that two bridges on one host do not share cookies.

All tabs of a browser share the login cookie. Tabs that begin at once do not have it yet: each response sets another id,
and the last one stays. So the first response also sets a cookie of its own name, which no other tab replaces. Later
logins reuse an id, so only tabs that begin at once add such cookies.
"""

import hmac
import re
from urllib.parse import quote, urlsplit

from flask import Request, Response

from bridge.errors import InvalidFormToken
from bridge.store import Session, fingerprint
from bridge.web.context import AppContext

LOGIN_LIFETIME_SECONDS = 600
MAX_VALUE_CHARS = 128
TAB_CHARS = 8
BROWSER_IDS_MAX = 100  # more do not fit into a header


def browser_ids(request: Request, context: AppContext) -> list[str]:
    """Return the ids under which this browser began logins, the common one first."""
    shared = _name(context, "login")
    of_tab = re.compile(re.escape(_name(context, "login-TAB")).replace("TAB", f"[0-9a-f]{{{TAB_CHARS}}}"))
    names = [shared, *(name for name in request.cookies if of_tab.fullmatch(name))]
    found = (_value(request, name) for name in names[:BROWSER_IDS_MAX])
    return list(dict.fromkeys(value for value in found if value is not None))


def set_browser_id(response: Response, context: AppContext, browser: str, *, tab: str | None) -> None:
    """Bind pending logins to this browser; `tab` is a hash if the browser had no id."""
    _set(response, context, "login", browser, LOGIN_LIFETIME_SECONDS)
    if tab is not None:
        _set(response, context, f"login-{tab[:TAB_CHARS]}", browser, LOGIN_LIFETIME_SECONDS)


def current_session(request: Request, context: AppContext) -> Session | None:
    """Return the live session of this browser."""
    value = _value(request, _name(context, "session"))
    if value is None:
        return None
    return context.provider.store.sessions.find(fingerprint(value), now=context.provider.now())


def set_session(response: Response, context: AppContext, session_id: str) -> Response:
    """Sign this browser in, with a fresh id."""
    _set(response, context, "session", session_id, context.settings.session_lifetime_seconds)
    _delete(response, context, "signed-out")
    return response


def delete_session(response: Response, context: AppContext) -> None:
    """Remove the session cookie."""
    _delete(response, context, "session")


def require_new_login(response: Response, context: AppContext) -> None:
    """Require a password for the next sign-in in this browser, even if CAS still has a session."""
    _set(response, context, "signed-out", "yes", context.settings.session_lifetime_seconds)


def new_login_required(request: Request, context: AppContext) -> bool:
    """Return whether the user signed out, here or by ending this session from elsewhere."""
    if _value(request, _name(context, "signed-out")) is not None:
        return True
    value = _value(request, _name(context, "session"))
    return value is not None and context.provider.store.sessions.has_ended(fingerprint(value))


def form_token(context: AppContext, session: Session, purpose: str) -> str:
    """Return the value of the hidden field `form_token`, which only the bridge's own pages know."""
    return context.provider.derived_secret("form", purpose, session.cookie_hash)


def check_form_token(context: AppContext, session: Session, purpose: str, unverified: str | None) -> None:
    """Raise InvalidFormToken for a form of another page or of an earlier session."""
    if not hmac.compare_digest(form_token(context, session, purpose).encode(), (unverified or "").encode()):
        raise InvalidFormToken(detail=f"wrong form token for {purpose}")


def _name(context: AppContext, purpose: str) -> str:
    # Dots of the path are escaped, so that different paths have different names.
    path = quote(urlsplit(context.provider.issuer).path).replace(".", "%2E").replace("/", ".")
    return f"{'__Host-' if context.settings.is_https else ''}passerelle-{purpose}{path}"


def _value(request: Request, name: str) -> str | None:
    value = request.cookies.get(name)
    return value if value and len(value) <= MAX_VALUE_CHARS else None


def _set(response: Response, context: AppContext, purpose: str, value: str, max_age: int) -> None:
    # Lax, not Strict: redirects from CAS and applications are cross-site navigations.
    secure = context.settings.is_https
    response.set_cookie(_name(context, purpose), value, max_age, secure=secure, httponly=True, samesite="Lax")


def _delete(response: Response, context: AppContext, purpose: str) -> None:
    response.delete_cookie(_name(context, purpose), secure=context.settings.is_https, httponly=True, samesite="Lax")
