"""Which of its sign-ins a browser comes back from CAS with.

By the state in the service URL and the login cookie together: the state stops a ticket of another sign-in, the cookie
one of another browser. Some CAS servers can register one exact service URL and no query; for them the cookie has to
do (`cas_service_state = "cookie"`). Then a ticket is taken for the newest sign-in that this browser began, whoever's it
is: decision 10 says what that costs.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import request

from bridge.cas.protocol import service_url
from bridge.errors import LoginNotFound
from bridge.store import AlreadyConsumed, Consumed, ExpiredLogin, PendingLogin, UnknownLogin, fingerprint
from bridge.web import cookies
from bridge.web.context import AppContext


def service_of(context: AppContext, state: str) -> str:
    """The service URL of a sign-in that begins."""
    return service_url(context.issuer, state if context.cas_service_state == "query" else None)


@dataclass(frozen=True, slots=True)
class CallbackContext:
    """A browser that comes back. What it may have is looked for by hashes alone."""

    context: AppContext
    browser_hash: str
    state_hash: str | None
    """None when the service URL holds no state."""

    def consume_pending_login(self, ticket_hash: str) -> Consumed | AlreadyConsumed | ExpiredLogin | UnknownLogin:
        """Consume the login that this ticket is for, or return why it cannot be consumed."""
        logins, now = self.context.store.pending_logins, self.context.now()
        if self.state_hash is None:
            return logins.consume_newest(browser_hash=self.browser_hash, ticket_hash=ticket_hash, now=now)
        return logins.consume(self.state_hash, browser_hash=self.browser_hash, ticket_hash=ticket_hash, now=now)

    def consume_gateway_login(self) -> PendingLogin | None:
        """The sign-in for which CAS was to ask nothing (gateway), and has nothing to tell."""
        logins = self.context.store.pending_logins
        if self.state_hash is not None:
            login = logins.find(self.state_hash, browser_hash=self.browser_hash)
            return login if login is not None and login.gateway else None
        # Taken by a ticket that nobody has: left waiting, it could take the ticket of a later sign-in.
        nothing = fingerprint(self.context.new_secret())
        result = logins.consume_newest(
            browser_hash=self.browser_hash, ticket_hash=nothing, now=self.context.now(), gateway_only=True
        )
        return result.login if isinstance(result, Consumed) else None


def returning(context: AppContext) -> CallbackContext:
    """The browser that this request comes from.

    :raises LoginNotFound: when it began no sign-in, or the address does not say which
    """
    browser = cookies.browser_id(request, context)
    if browser is None:
        raise LoginNotFound(detail="no login cookie")
    if context.cas_service_state == "cookie":
        return CallbackContext(context, fingerprint(browser), None)
    states = request.args.getlist("state")
    if len(states) != 1:
        raise LoginNotFound(detail="not exactly one state")
    return CallbackContext(context, fingerprint(browser), fingerprint(states[0]))
