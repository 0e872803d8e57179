"""Rate limits for failures: guessed client secrets, invalid tokens and invalid callbacks.

Only failures count, so any number of successful sign-ins may come from one address.

- Client secrets may be chosen by a person. Once the limit is reached, correct and wrong secrets are rejected alike
  until the minute is over, so the limit is no oracle. First one client from one address is limited, then the address;
  other addresses of that client are not affected.
- Access tokens, states and tickets have 256 random bits and cannot be guessed. Valid ones always pass, because one hub
  asks for hundreds of users from one address. Above the limit, invalid ones are answered with 429.

The counters are in the memory of each worker, so the limits of the settings apply to each worker.
"""

import functools
from collections.abc import Callable
from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from typing import ParamSpec

from flask import Response, request
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from bridge.errors import BridgeError, LoginNotFound, RateLimitExceeded, TicketMalformed, TicketRejected
from bridge.errors.oauth import InvalidClient, InvalidToken
from bridge.oauth.endpoints import basic_credentials
from bridge.settings import Settings
from bridge.web.context import current_context

RETRY_AFTER_SECONDS = 60
# Secrets as long as those of `passerelle clients` cannot be guessed, so the limit does not apply to them. An attacker
# can thus not lock a client out by failing with its client_id or from its address.
UNGUESSABLE_SECRET_CHARS = 32
IPV6_SITE_BITS = 64  # one customer owns the remaining bits

P = ParamSpec("P")
View = Callable[P, Response]


class FailureLimits:
    """The failures of the last minute; every limit is a number of failures a minute from one address."""

    def __init__(self, settings: Settings) -> None:
        self._client = RateLimitItemPerMinute(settings.client_failures_per_minute, namespace="client")
        self._address = RateLimitItemPerMinute(settings.address_failures_per_minute, namespace="address")
        self.bad_tokens = RateLimitItemPerMinute(settings.bad_tokens_per_minute, namespace="tokens")
        self.bad_callbacks = RateLimitItemPerMinute(settings.bad_callbacks_per_minute, namespace="callbacks")

    @functools.cached_property
    def _window(self) -> FixedWindowRateLimiter:
        # Created on first use: it starts a thread, and the process that forks the workers must have none.
        return FixedWindowRateLimiter(MemoryStorage())

    def check_client(self, client: str, address: str) -> None:
        """Raise RateLimitExceeded if this address, or this client from it, has reached its limit."""
        if not (self._window.test(self._address, address) and self._window.test(self._client, client, address)):
            raise RateLimitExceeded(detail="client authentication")

    def record_client_failure(self, client: str, address: str) -> None:
        """Count a wrong secret."""
        self._window.hit(self._address, address)
        self._window.hit(self._client, client, address)

    def record_failure(self, limit: RateLimitItem, address: str) -> None:
        """Count a failure; raise RateLimitExceeded above the limit."""
        if not self._window.hit(limit, address):
            raise RateLimitExceeded(detail=str(limit.namespace))


def limit_secret_guesses(view: View[P]) -> View[P]:
    """Limit wrong client secrets at a view."""

    @functools.wraps(view)
    def limited(*args: P.args, **kwargs: P.kwargs) -> Response:
        credentials, address = _client_and_secret_length(), _caller()
        if credentials is None:  # a public client or none: no secret to guess
            return view(*args, **kwargs)
        client, length = credentials
        limits = current_context().limits
        if length < UNGUESSABLE_SECRET_CHARS:
            limits.check_client(client, address)
        try:
            return view(*args, **kwargs)
        except InvalidClient:
            limits.record_client_failure(client, address)
            raise

    return limited


def limit_bad_tokens(view: View[P]) -> View[P]:
    """Limit invalid access tokens at a view."""
    return _limit_failures(view, lambda limits: limits.bad_tokens, InvalidToken)


def limit_bad_callbacks(view: View[P]) -> View[P]:
    """Limit invalid tickets and states at the callback."""
    failures = (LoginNotFound, TicketMalformed, TicketRejected)
    return _limit_failures(view, lambda limits: limits.bad_callbacks, *failures)


def _limit_failures(
    view: View[P], limit: Callable[[FailureLimits], RateLimitItem], *failures: type[BridgeError]
) -> View[P]:
    @functools.wraps(view)
    def limited(*args: P.args, **kwargs: P.kwargs) -> Response:
        try:
            return view(*args, **kwargs)
        except failures:
            limits = current_context().limits
            limits.record_failure(limit(limits), _caller())
            raise

    return limited


def _caller() -> str:
    """Return the key for the caller's failures: an IPv4 address, or an IPv6 site."""
    text = request.remote_addr or ""
    try:
        address = ip_address(text)
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(int(address) >> (128 - IPV6_SITE_BITS))
    return text


def _client_and_secret_length() -> tuple[str, int] | None:
    """Return the hash of the client_id, because its length is not limited, and the length of the secret."""
    if (header := request.headers.get("Authorization")) is not None:
        try:
            client_id, secret = basic_credentials(header)
        except InvalidClient:
            client_id = secret = ""  # the view rejects it too; all of these count as one client
    elif "client_secret" in request.form:
        client_id, secret = request.form.get("client_id", ""), request.form["client_secret"]
    else:
        return None
    return sha256(client_id.encode("utf-8", "surrogatepass")).hexdigest(), len(secret)
