"""Rate limits for failures: guessed client secrets, invalid tokens and invalid callbacks.

Only failures count, so any number of successful sign-ins may come from one address.

- Client secrets may be chosen by a person. Once the limit is reached, correct and wrong secrets are rejected alike
  until the minute is over, so the limit is no oracle. First one client from one address is limited, then the address;
  other addresses of that client are not affected.
- Access tokens, states and tickets have 256 random bits and cannot be guessed. Valid ones always pass, because one hub
  asks for hundreds of users from one address. Above the limit, invalid ones are answered with 429.

The counters are in the memory of each worker, so the limits of the settings apply to each worker.
"""

from __future__ import annotations

import functools

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from bridge.errors import RateLimitExceeded


class FailureLimits:
    """The failures of the last minute; every limit is a number of failures a minute from one address."""

    def __init__(self, *, client_failures: int, address_failures: int, bad_tokens: int, bad_callbacks: int) -> None:
        self._client = RateLimitItemPerMinute(client_failures, namespace="client")
        self._address = RateLimitItemPerMinute(address_failures, namespace="address")
        self.bad_tokens: RateLimitItem = RateLimitItemPerMinute(bad_tokens, namespace="tokens")
        self.bad_callbacks: RateLimitItem = RateLimitItemPerMinute(bad_callbacks, namespace="callbacks")

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
