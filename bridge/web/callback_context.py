"""The pending login that a browser returns with from CAS.

It is found by the state in the service URL together with the login cookie. The state rejects tickets of other logins,
the cookie rejects tickets from other browsers. Some CAS servers register one exact service URL without a query. For
them the cookie alone decides (`cas_service_state = "cookie"`): a ticket belongs to the newest login that this browser
began, whichever user it is for. Decision 10 describes the risk.
"""

from dataclasses import dataclass

from flask import request

from bridge.errors import LoginNotFound
from bridge.store import AlreadyConsumed, Consumed, ExpiredLogin, PendingLogin, UnknownLogin, fingerprint
from bridge.web import cookies
from bridge.web.context import AppContext


@dataclass(frozen=True, slots=True)
class CallbackContext:
    """A browser that returns from CAS; logins are looked up by hashes only."""

    context: AppContext
    browser_hashes: tuple[str, ...]
    state_hash: str | None
    """None if the service URL has no state."""

    def consume_pending_login(self, ticket_hash: str) -> Consumed | AlreadyConsumed | ExpiredLogin | UnknownLogin:
        """Consume the login that this ticket is for, or return why it cannot be consumed."""
        logins, now = self.context.provider.store.pending_logins, self.context.provider.now()
        if self.state_hash is None:
            return logins.consume_newest(browser_hashes=self.browser_hashes, ticket_hash=ticket_hash, now=now)
        return logins.consume(self.state_hash, browser_hashes=self.browser_hashes, ticket_hash=ticket_hash, now=now)

    def consume_gateway_login(self) -> PendingLogin | None:
        """Return the login that went to CAS with `gateway` and returned without a ticket."""
        provider = self.context.provider
        if self.state_hash is not None:
            login = provider.store.pending_logins.find(self.state_hash, browser_hashes=self.browser_hashes)
            return login if login is not None and login.gateway else None
        # Consumed with a random ticket: if it stayed pending, it could receive the ticket of a later login.
        result = provider.store.pending_logins.consume_newest(
            browser_hashes=self.browser_hashes,
            ticket_hash=fingerprint(provider.new_secret()),
            now=provider.now(),
            gateway_only=True,
        )
        return result.login if isinstance(result, Consumed) else None


def callback_context(context: AppContext) -> CallbackContext:
    """Return the context of the current callback request."""
    browser_hashes = tuple(map(fingerprint, cookies.browser_ids(request, context)))
    if not browser_hashes:
        raise LoginNotFound(detail="no login cookie")
    if context.settings.cas_service_state == "cookie":
        return CallbackContext(context, browser_hashes, None)
    states = request.args.getlist("state")
    if len(states) != 1:
        raise LoginNotFound(detail="not exactly one state")
    return CallbackContext(context, browser_hashes, fingerprint(states[0]))
