"""How often one may fail: what stops whoever tries secrets, and nobody else.

Only failures count, so any number of good sign-ins may come from one address. Two kinds of secret, two answers:

- a client secret may have been chosen by a person. Who failed too often is not looked at until the minute is over,
  right or wrong, or the guess after the limit would still be told from the others. One client and address together
  are stopped first, then the address; other callers of that client go on.
- access tokens, states and tickets are 256 bits of chance, which nobody guesses. Good ones always pass, because one
  hub asks for hundreds of users from one address; from some number on, bad ones are answered 429 instead.

Counted in the memory of each worker: the numbers of the settings hold for each of them.
"""

from __future__ import annotations

import functools

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from bridge.errors import RateLimitExceeded


class FailureLimits:
    """The failures of the last minute.

    :param client_failures: of one client_id from one address
    :param address_failures: of any client from one address
    :param bad_tokens: from one address
    :param bad_callbacks: from one address
    """

    def __init__(self, *, client_failures: int, address_failures: int, bad_tokens: int, bad_callbacks: int) -> None:
        self._client = RateLimitItemPerMinute(client_failures, namespace="client")
        self._address = RateLimitItemPerMinute(address_failures, namespace="address")
        self.bad_tokens: RateLimitItem = RateLimitItemPerMinute(bad_tokens, namespace="tokens")
        self.bad_callbacks: RateLimitItem = RateLimitItemPerMinute(bad_callbacks, namespace="callbacks")

    @functools.cached_property
    def _window(self) -> FixedWindowRateLimiter:
        # At the first use: it starts a thread, and the process that forks the workers must have none.
        return FixedWindowRateLimiter(MemoryStorage())

    def check_client(self, client: str, address: str) -> None:
        """Raise RateLimitExceeded when this client from this address, or this address, failed too often."""
        if not (self._window.test(self._address, address) and self._window.test(self._client, client, address)):
            raise RateLimitExceeded(detail="client authentication")

    def client_failed(self, client: str, address: str) -> None:
        """Remember a wrong secret."""
        self._window.hit(self._address, address)
        self._window.hit(self._client, client, address)

    def check_failure(self, limit: RateLimitItem, address: str) -> None:
        """Remember a failure; raise RateLimitExceeded when there were too many before."""
        if not self._window.hit(limit, address):
            raise RateLimitExceeded(detail=str(limit.namespace))
