"""The registered applications: who they are, where they may send people, what they may ask for."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from bridge.errors import InvalidClient
from bridge.settings import ClientSettings

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A registered OAuth application."""

    client_id: str
    client_name: str
    secret_hash: str | None
    """SHA-256 of the secret in hexadecimal; None for a public client."""
    redirect_uris: tuple[str, ...]
    scopes: frozenset[str]
    require_pkce: bool

    def check_secret(self, unverified_secret: str | None) -> None:
        """Compare in constant time.

        :raises InvalidClient: on a wrong or missing secret, and on any secret sent by a public client
        """
        if self.secret_hash is None and unverified_secret is None:
            return
        presented = hashlib.sha256((unverified_secret or "").encode("utf-8", "surrogatepass")).hexdigest()
        matches = hmac.compare_digest(presented, self.secret_hash or "")
        if unverified_secret is None or not matches:
            raise InvalidClient(detail=f"wrong secret for client {self.client_id}")

    def allows_redirect_to(self, uri: str) -> bool:
        """Whether a code may be sent there: the exact string, or any port of a loopback one (RFC 8252 §7.3)."""
        return uri in self.redirect_uris or any(_is_on_any_port(known, uri) for known in self.redirect_uris)


def _is_on_any_port(registered: str, uri: str) -> bool:
    parts = urlsplit(registered)
    if parts.scheme != "http" or parts.hostname not in LOOPBACK_HOSTS or parts.port is not None:
        return False
    prefix, rest = f"http://{parts.netloc}", registered.removeprefix(f"http://{parts.netloc}")
    port = re.fullmatch(re.escape(prefix) + r":([1-9][0-9]{0,4})" + re.escape(rest), uri)
    return port is not None and int(port[1]) <= 65535


def registry(clients: Iterable[ClientSettings]) -> Mapping[str, Client]:
    """The clients of the settings by their client_id."""
    return {settings.client_id: _client(settings) for settings in clients}


def hash_secret(secret: str) -> str:
    """What goes into `client_secret_hash`."""
    return "sha256:" + hashlib.sha256(secret.encode()).hexdigest()


def _client(settings: ClientSettings) -> Client:
    secret_hash = settings.client_secret_hash
    if settings.client_secret is not None:
        secret_hash = hash_secret(settings.client_secret.get_secret_value())
    return Client(
        client_id=settings.client_id,
        client_name=settings.client_name or settings.client_id,
        secret_hash=None if secret_hash is None else secret_hash.removeprefix("sha256:"),
        redirect_uris=settings.redirect_uris,
        scopes=frozenset(settings.scopes),
        require_pkce=settings.require_pkce,
    )
