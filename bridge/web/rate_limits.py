"""Rate limits for failures: guessed client secrets, invalid tokens, invalid callbacks and tickets that CAS rejects.

Only failures count, so any number of successful sign-ins may come from one address. The store counts them, so that
all workers and hosts share a limit.

- Client secrets may be chosen by a person. Once the limit is reached, correct and wrong secrets are rejected alike
  until the minute is over, so the limit is no oracle. First one client from one address is limited, then the address;
  other addresses of that client are not affected.
- Access tokens and states have 256 random bits and cannot be guessed. Valid ones always pass, because one hub asks for
  hundreds of users from one address. Above the limit, invalid ones are answered with 429.
- Tickets cost a request to CAS, and anyone can begin sign-ins and invent tickets. The limit is therefore checked before
  CAS is asked. If all addresses together fail too often, each address is limited earlier. There is no limit that stops
  addresses without failures, because it would let one attacker stop every sign-in.
"""

import functools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from typing import ParamSpec

from flask import Response, request

from bridge.errors import (
    BridgeError,
    LoginNotFound,
    RateLimitExceeded,
    TicketMalformed,
    TicketRejected,
    UpstreamMalformed,
    UpstreamMisconfigured,
)
from bridge.errors.oauth import InvalidClient, InvalidToken
from bridge.oauth.endpoints import basic_credentials
from bridge.settings import Settings
from bridge.store import Store
from bridge.web.client_address import limit_key
from bridge.web.context import current_context

RETRY_AFTER_SECONDS = 60
# Secrets as long as those of `passerelle clients` cannot be guessed, so the limit does not apply to them. An attacker
# can thus not lock a client out by failing with its client_id or from its address. They are not counted either: an
# attacker could otherwise store a counter for each of any number of invented client_ids.
UNGUESSABLE_SECRET_CHARS = 32
# Above ten times the limit of an address, all addresses are limited after a tenth of it.
ALL_ADDRESSES_FACTOR = 10
TICKET_FAILURES = (TicketRejected, UpstreamMisconfigured, UpstreamMalformed)
"""Failures that CAS reports of a ticket. A timeout says nothing about the ticket."""

P = ParamSpec("P")
View = Callable[P, Response]


class FailureLimits:
    """The failures of this minute; every limit is a number of failures a minute from one address."""

    def __init__(self, settings: Settings, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._failures = store.failures
        self._clock = clock
        self._client_limit = settings.client_failures_per_minute
        self._address_limit = settings.address_failures_per_minute
        self._ticket_limit = settings.bad_callbacks_per_minute
        self.bad_tokens = ("token", settings.bad_tokens_per_minute)
        self.bad_callbacks = ("callback", settings.bad_callbacks_per_minute)

    def check_client(self, client: str, address: str) -> None:
        """Raise RateLimitExceeded if this address, or this client from it, has reached its limit."""
        limits = {f"address {address}": self._address_limit, f"client {client} {address}": self._client_limit}
        counts = self._count(*limits)
        if any(counts.get(counter, 0) >= limit for counter, limit in limits.items()):
            raise RateLimitExceeded(detail="client authentication")

    def record_client_failure(self, client: str, address: str) -> None:
        """Count a wrong secret."""
        self._record(f"address {address}", f"client {client} {address}")

    def check_tickets(self, address: str) -> None:
        """Raise RateLimitExceeded if CAS has rejected too many tickets of this address."""
        counts = self._count("ticket", f"ticket {address}")
        under_attack = counts.get("ticket", 0) >= self._ticket_limit * ALL_ADDRESSES_FACTOR
        limit = max(1, self._ticket_limit // ALL_ADDRESSES_FACTOR) if under_attack else self._ticket_limit
        if counts.get(f"ticket {address}", 0) >= limit:
            raise RateLimitExceeded(detail="rejected tickets")

    def record_rejected_ticket(self, address: str) -> None:
        """Count a ticket that CAS rejected."""
        self._record("ticket", f"ticket {address}")

    def record_failure(self, kind: str, limit: int, address: str) -> None:
        """Count a failure; raise RateLimitExceeded above the limit."""
        counter = f"{kind} {address}"
        if self._count(counter).get(counter, 0) >= limit or self._record(counter)[counter] > limit:
            raise RateLimitExceeded(detail=kind)

    def _count(self, first: str, last: str | None = None) -> Mapping[str, int]:
        return self._failures.count(first, last, now=int(self._clock()))

    def _record(self, *counters: str) -> Mapping[str, int]:
        return self._failures.record(counters, now=int(self._clock()))


def limit_secret_guesses(view: View[P]) -> View[P]:
    """Limit wrong client secrets at a view."""

    @functools.wraps(view)
    def limited(*args: P.args, **kwargs: P.kwargs) -> Response:
        credentials, address = _client_and_secret_length(), caller()
        if credentials is None:  # a public client or none: no secret to guess
            return view(*args, **kwargs)
        client, length = credentials
        if length >= UNGUESSABLE_SECRET_CHARS:
            return view(*args, **kwargs)
        limits = current_context().limits
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
    """Limit callbacks that match no pending login, and malformed tickets."""
    return _limit_failures(view, lambda limits: limits.bad_callbacks, LoginNotFound, TicketMalformed)


@contextmanager
def limit_rejected_tickets() -> Iterator[None]:
    """Limit the tickets that CAS is asked about and rejects."""
    limits, address = current_context().limits, caller()
    limits.check_tickets(address)
    try:
        yield
    except TICKET_FAILURES:
        limits.record_rejected_ticket(address)
        raise


def _limit_failures(
    view: View[P], limit: Callable[[FailureLimits], tuple[str, int]], *failures: type[BridgeError]
) -> View[P]:
    @functools.wraps(view)
    def limited(*args: P.args, **kwargs: P.kwargs) -> Response:
        try:
            return view(*args, **kwargs)
        except failures:
            limits = current_context().limits
            limits.record_failure(*limit(limits), caller())
            raise

    return limited


def caller() -> str:
    """Return the key under which failures of this caller are counted."""
    return limit_key(request.remote_addr or "")


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
