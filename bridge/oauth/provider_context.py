"""The dependencies of the provider's endpoints, built once by `create_app`."""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from bridge.oauth.claims import ClaimsPolicy, keyed_hash
from bridge.oauth.clients import ClientRegistry
from bridge.oauth.keys import KeyRing
from bridge.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderContext:
    """The issuer, the store, the clock and the provider's services; lifetimes are in seconds."""

    issuer: str
    clients: ClientRegistry
    store: Store
    keys: KeyRing
    claims: ClaimsPolicy
    access_token_lifetime_seconds: int
    """Default for clients that set none of their own."""
    refresh_token_lifetime_seconds: int
    """Idle time after which a refresh token expires; every rotation restarts it. Clients may override it."""
    grant_lifetime_seconds: int
    """Age at which a grant expires, however often its tokens were refreshed."""
    clock: Callable[[], float]
    """Unix seconds."""
    logout_queued: threading.Event = field(default_factory=threading.Event)
    """Set when logout tokens were queued; wakes the delivery thread of this process."""
    derivation_key: bytes
    """Key of `derived_secret`."""

    def now(self) -> int:
        """Return the current time in whole Unix seconds."""
        return int(self.clock())

    def new_secret(self) -> str:
        """Return 256 random bits, safe in URLs: codes, tokens, cookie values."""
        return secrets.token_urlsafe(32)

    def derived_secret(self, purpose: str, *parts: str) -> str:
        """Derive 256 bits, safe in URLs, that only the bridge can compute.

        The same input gives the same value. At least one part must be a secret itself.
        """
        return keyed_hash(self.derivation_key, purpose, *parts)
