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
from bridge.errors import LoginNotContinued
from bridge.store import PendingLogin, fingerprint
from bridge.web import cookies
from bridge.web.context import Bridge


def service_of(bridge: Bridge, state: str) -> str:
    """The service URL of a sign-in that begins."""
    return service_url(bridge.issuer, state if bridge.cas_service_state == "query" else None)


@dataclass(frozen=True, slots=True)
class Returning:
    """A browser that comes back. What it may have is looked for by hashes alone."""

    bridge: Bridge
    browser_hash: str
    state_hash: str | None
    """None when the service URL holds no state."""

    def take(self, ticket_hash: str) -> PendingLogin | None:
        """The sign-in that this ticket is for, once."""
        logins, now = self.bridge.store.logins, self.bridge.now()
        if self.state_hash is None:
            return logins.claim_newest(browser_hash=self.browser_hash, ticket_hash=ticket_hash, now=now)
        return logins.claim(self.state_hash, browser_hash=self.browser_hash, ticket_hash=ticket_hash, now=now)

    def taken_before(self, ticket_hash: str) -> PendingLogin | None:
        """The sign-in that was taken by this ticket, or came too late."""
        logins = self.bridge.store.logins
        if self.state_hash is None:
            return logins.find_by_ticket(ticket_hash, browser_hash=self.browser_hash)
        return logins.find(self.state_hash, browser_hash=self.browser_hash)

    def without_ticket(self) -> PendingLogin | None:
        """The sign-in for which CAS was to ask nothing (gateway), and has nothing to tell."""
        logins = self.bridge.store.logins
        if self.state_hash is not None:
            login = logins.find(self.state_hash, browser_hash=self.browser_hash)
            return login if login is not None and login.gateway else None
        # Taken by a ticket that nobody has: left waiting, it could take the ticket of a later sign-in.
        nothing = fingerprint(self.bridge.new_secret())
        return logins.claim_newest(
            browser_hash=self.browser_hash, ticket_hash=nothing, now=self.bridge.now(), gateway_only=True
        )


def returning(bridge: Bridge) -> Returning:
    """The browser that this request comes from.

    :raises LoginNotContinued: when it began no sign-in, or the address does not say which
    """
    browser = cookies.browser_id(request, bridge)
    if browser is None:
        raise LoginNotContinued(detail="no login cookie")
    if bridge.cas_service_state == "cookie":
        return Returning(bridge, fingerprint(browser), None)
    states = request.args.getlist("state")
    if len(states) != 1:
        raise LoginNotContinued(detail="not exactly one state")
    return Returning(bridge, fingerprint(browser), fingerprint(states[0]))
