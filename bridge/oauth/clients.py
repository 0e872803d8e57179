"""The registered applications: who they are, where they may send people, what they may ask for."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import structlog
from pydantic import ValidationError

from bridge.errors import InvalidClient
from bridge.identity import Identity
from bridge.settings import ClientSettings, is_loopback
from bridge.settings.attribute_names import merge_spellings
from bridge.store import Store

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})
REREAD_SECONDS = 2

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A registered OAuth application."""

    client_id: str
    client_name: str
    secret_hashes: tuple[str, ...]
    """SHA-256 of each valid secret in hexadecimal: two during a changeover, none for a public client."""
    redirect_uris: tuple[str, ...]
    post_logout_redirect_uris: tuple[str, ...]
    backchannel_logout_uri: str | None
    scopes: tuple[str, ...]
    grant_types: tuple[str, ...]
    require_pkce: bool
    consent: bool
    allowed_groups: tuple[str, ...]
    """Who may sign in; empty for everyone."""
    allowed_attributes: Mapping[str, frozenset[str]]
    """Likewise, by attribute: one of these values of each; empty for everyone."""
    claims: tuple[str, ...]
    """What it gets beside the claims of its scopes."""
    access_token_lifetime_seconds: int | None
    refresh_token_lifetime_seconds: int | None
    identity_max_age_seconds: int | None
    subject_type: str
    sector: str
    """What pairwise subjects are shared by (OIDC Core §8.1)."""
    id_token_signed_response_alg: str

    @property
    def is_public(self) -> bool:
        """Without a secret."""
        return not self.secret_hashes

    def check_secret(self, unverified_secret: str | None) -> None:
        """Compare in constant time.

        :raises InvalidClient: on a wrong or missing secret, and on any secret sent by a public client
        """
        if self.is_public and unverified_secret is None:
            return
        presented = hash_secret(unverified_secret or "")
        matches = [hmac.compare_digest(presented, known) for known in self.secret_hashes]
        if unverified_secret is None or not any(matches):
            pasted = hash_secret((unverified_secret or "").strip())
            nearly = unverified_secret is not None and any(hmac.compare_digest(pasted, k) for k in self.secret_hashes)
            hint = ": the right one, with a blank around it" if nearly else ""
            raise InvalidClient(detail=f"wrong secret for client {self.client_id}{hint}")

    def allows_redirect_to(self, uri: str) -> bool:
        """Whether a code may be sent there: the exact string, or any port of a loopback one (RFC 8252 §7.3)."""
        return uri in self.redirect_uris or any(_is_on_any_port(known, uri) for known in self.redirect_uris)

    def admits(self, identity: Identity) -> bool:
        """Whether this user may use the application; groups and attribute values are compared whole."""
        if self.allowed_groups and set(self.allowed_groups).isdisjoint(identity.groups):
            return False
        has = merge_spellings(identity.attributes) if self.allowed_attributes else {}
        return all(not allowed.isdisjoint(has.get(name, ())) for name, allowed in self.allowed_attributes.items())


class ClientRegistry:
    """All clients: those of the settings, and those that `passerelle clients` keeps in the store.

    The store's are read again when its version has changed, which is asked every two seconds at most; of two
    with one client_id the settings' counts.
    """

    def __init__(self, settings: Iterable[ClientSettings], store: Store, clock: Callable[[], float]) -> None:
        self._fixed = {client.client_id: client_of(client) for client in settings}
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._version = -1
        self._asked_at = float("-inf")
        self._all: Mapping[str, Client] = self._fixed
        self._disabled: frozenset[str] = frozenset()

    def get(self, client_id: str) -> Client | None:
        """The client, if it is registered and not disabled."""
        return self._current().get(client_id)

    def why_absent(self, client_id: str) -> str:
        """For the log, about one that `get` does not know."""
        return (
            f"client {client_id} is disabled"
            if client_id in self._disabled
            else f"unknown client_id {client_id[:80]!r}"
        )

    def browser_origins(self) -> frozenset[str]:
        """The origins where applications may run in a browser: those of the public clients' redirect URIs."""
        uris = (uri for client in self._current().values() if client.is_public for uri in client.redirect_uris)
        return frozenset(origin for origin in map(origin_of, uris) if origin is not None)

    def _current(self) -> Mapping[str, Client]:
        now = self._clock()
        if abs(now - self._asked_at) >= REREAD_SECONDS:
            with self._lock:
                self._asked_at = now
                version = self._store.clients.version()
                if version != self._version:
                    before, were_disabled = self._all, self._disabled
                    stored, disabled = self._stored()
                    self._all, self._disabled = {**stored, **self._fixed}, disabled - self._fixed.keys()
                    if self._version >= 0:  # not the first reading
                        _tell_changes(before, self._all, were_disabled, self._disabled)
                    self._version = version
        return self._all

    def _stored(self) -> tuple[dict[str, Client], frozenset[str]]:
        """Those that may do something, and the names of those that are disabled."""
        found = {}
        everyone = self._store.clients.all()
        for stored in everyone:
            if stored.disabled:
                continue
            try:
                found[stored.client_id] = client_of(ClientSettings.model_validate(json.loads(stored.document)))
            except (ValidationError, ValueError):  # written by another version
                log.error("client_unreadable", client=stored.client_id, detail="see `passerelle clients list`")
        return found, frozenset(stored.client_id for stored in everyone if stored.disabled)


def _tell_changes(
    before: Mapping[str, Client], now: Mapping[str, Client], were_disabled: frozenset[str], disabled: frozenset[str]
) -> None:
    """The command that changes a client runs elsewhere and has no log: whoever serves says what became of it."""
    changed = {client_id for client_id in now.keys() & before.keys() if now[client_id] != before[client_id]}
    added, enabled = now.keys() - before.keys() - were_disabled, now.keys() & were_disabled
    newly_disabled = before.keys() & disabled
    removed = (before.keys() | were_disabled) - now.keys() - disabled
    if added or changed or newly_disabled or enabled or removed:
        log.info(
            "clients_changed",
            added=sorted(added),
            changed=sorted(changed),
            disabled=sorted(newly_disabled),
            enabled=sorted(enabled),
            removed=sorted(removed),
        )


def hash_secret(secret: str) -> str:
    """How secrets are kept: SHA-256 in hexadecimal."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def origin_of(uri: str) -> str | None:
    """The origin of a URL as browsers write it (RFC 6454 §6.2); None for the schemes of native applications."""
    parts = urlsplit(uri)
    usual = {"http": 80, "https": 443}
    if parts.scheme not in usual or parts.hostname is None:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = "" if parts.port in (None, usual[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def client_of(settings: ClientSettings) -> Client:
    """A client as its settings say."""
    known = (settings.client_secret_hash, settings.former_secret_hash)
    hashes = [secret_hash.removeprefix("sha256:") for secret_hash in known if secret_hash is not None]
    if settings.client_secret is not None:
        hashes.insert(0, hash_secret(settings.client_secret.get_secret_value()))
    return Client(
        client_id=settings.client_id,
        client_name=settings.client_name or settings.client_id,
        secret_hashes=tuple(hashes),
        redirect_uris=settings.redirect_uris,
        post_logout_redirect_uris=settings.post_logout_redirect_uris,
        backchannel_logout_uri=settings.backchannel_logout_uri,
        scopes=settings.scopes,
        grant_types=settings.grant_types,
        require_pkce=settings.require_pkce,
        consent=settings.consent,
        allowed_groups=settings.allowed_groups,
        allowed_attributes={name: frozenset(v) for name, v in merge_spellings(settings.allowed_attributes).items()},
        claims=settings.claims,
        access_token_lifetime_seconds=settings.access_token_lifetime_seconds,
        refresh_token_lifetime_seconds=settings.refresh_token_lifetime_seconds,
        identity_max_age_seconds=settings.identity_max_age_seconds,
        subject_type=settings.subject_type,
        sector=sector_of(settings),
        id_token_signed_response_alg=settings.id_token_signed_response_alg,
    )


def sector_of(settings: ClientSettings) -> str:
    """What its pairwise subjects are shared by (OIDC Core §8.1)."""
    return settings.sector_identifier or _host(settings.redirect_uris) or settings.client_id


def _host(redirect_uris: tuple[str, ...]) -> str | None:
    """Of the first one. A loopback host is everybody's, and a client that acts for itself has none."""
    host = urlsplit(redirect_uris[0]).hostname if redirect_uris else None
    return None if is_loopback(host) else host


def _is_on_any_port(registered: str, uri: str) -> bool:
    parts = urlsplit(registered)
    if parts.scheme != "http" or parts.hostname not in LOOPBACK_HOSTS or parts.port is not None:
        return False
    prefix, rest = f"http://{parts.netloc}", registered.removeprefix(f"http://{parts.netloc}")
    port = re.fullmatch(re.escape(prefix) + r":([1-9][0-9]{0,4})" + re.escape(rest), uri)
    return port is not None and int(port[1]) <= 65535
