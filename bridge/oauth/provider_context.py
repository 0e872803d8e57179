"""What every endpoint of the provider works with: one value, put together by `create_app`."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from bridge.oauth.claims import ClaimsPolicy
from bridge.oauth.clients import ClientRegistry
from bridge.oauth.keys import KeyRing
from bridge.store import Store


def new_secret() -> str:
    """256 random bits, safe in URLs: codes, tokens, cookie values."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderContext:
    """The provider's name, its rooms, and the lifetimes (seconds) that clients may override."""

    issuer: str
    clients: ClientRegistry
    store: Store
    keys: KeyRing
    claims: ClaimsPolicy
    access_token_lifetime_seconds: int
    refresh_token_lifetime_seconds: int
    """Idle time after which a refresh token expires; every rotation starts it anew."""
    grant_lifetime_seconds: int
    """After which a user has to sign in again, however often tokens were refreshed."""
    clock: Callable[[], float]
    new_secret: Callable[[], str]
    logout_queued: threading.Event = field(default_factory=threading.Event)
    """Set when logout tokens wait that nobody need wait for: whoever delivers them in this process wakes up."""
    derivation_key: bytes
    """For tokens that have to come out the same when a lost answer is asked for again."""

    def now(self) -> int:
        """Unix seconds."""
        return int(self.clock())

    def derived_secret(self, purpose: str, *parts: str) -> str:
        """256 bits that only we can compute from `parts`, one of which has to be a secret itself."""
        message = "\0".join((purpose, *parts)).encode()
        digest = hmac.new(self.derivation_key, message, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
