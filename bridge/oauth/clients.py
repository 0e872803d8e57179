"""Registered clients: their secrets, redirect URIs and access rules, and the registry that serves them."""

import hashlib
import hmac
import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Self
from urllib.parse import urlsplit

import structlog
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bridge.errors import ClientCommandError
from bridge.errors.oauth import InvalidClient
from bridge.identity import Identity
from bridge.settings import ClientSettings, is_loopback
from bridge.settings.attribute_names import merge_spellings
from bridge.store import Store, StoredClient

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})
RELOAD_SECONDS = 2
CLIENT_NAME_MAX_CHARS = 120

log = structlog.get_logger()


class Client(ClientSettings):
    """A registered OAuth client: its settings, with the hash of its secret instead of the secret."""

    @classmethod
    def from_settings(cls, settings: ClientSettings) -> Self:
        """Return the client for these settings."""
        document = client_document(settings)
        if settings.client_secret is not None:
            document["client_secret_hash"] = prefixed_hash(settings.client_secret.get_secret_value())
        return cls.model_validate({**document, "client_name": settings.client_name or settings.client_id})

    @property
    def sector(self) -> str:
        """The value that clients with the same pairwise subjects share (OIDC Core §8.1).

        Without a redirect URI, or with one on a loopback host, which identifies no application, it is the client_id.
        """
        host = urlsplit(self.redirect_uris[0]).hostname if self.redirect_uris else None
        return self.sector_identifier or (self.client_id if host is None or is_loopback(host) else host)

    @property
    def home(self) -> str | None:
        """A page of the application to go on from: where it returns after logout, else the origin of a redirect URI."""
        pages = [uri for uri in self.post_logout_redirect_uris if uri.startswith("https:")]
        origins = [f"{url_origin(uri)}/" for uri in self.redirect_uris if uri.startswith("https:")]
        return next(iter(pages + origins), None)

    def check_secret(self, unverified_secret: str | None) -> None:
        """Check a presented secret in constant time.

        Raises:
            InvalidClient: If the secret is wrong or missing, or if a public client sends one.
        """
        if self.is_public and unverified_secret is None:
            return
        if unverified_secret is None or not self._has_secret(unverified_secret):
            nearly = unverified_secret is not None and self._has_secret(unverified_secret.strip())
            hint = ": the right one, surrounded by whitespace" if nearly else ""
            raise InvalidClient(detail=f"wrong secret for client {self.client_id}{hint}")

    def _has_secret(self, unverified_secret: str) -> bool:
        presented = prefixed_hash(unverified_secret)
        known = filter(None, (self.client_secret_hash, self.former_secret_hash))  # both during a rotation
        matches = [hmac.compare_digest(presented, secret_hash) for secret_hash in known]  # a list, to compare all
        return any(matches)

    def allows_redirect_to(self, uri: str) -> bool:
        """Return whether codes may be sent to this URI.

        The match is exact, except that a loopback URI without a port allows every port (RFC 8252 §7.3).
        """
        return uri in self.redirect_uris or any(_matches_any_port(known, uri) for known in self.redirect_uris)

    def allows_user(self, identity: Identity) -> bool:
        """Return whether the user satisfies the client's rules on groups and attributes; values match as a whole."""
        if self.allowed_groups and set(self.allowed_groups).isdisjoint(identity.groups):
            return False
        attributes = merge_spellings(identity.attributes)
        rules = merge_spellings(self.allowed_attributes).items()
        return all(not set(allowed).isdisjoint(attributes.get(name, ())) for name, allowed in rules)


class ClientRegistry:
    """The clients of the settings, and those that `passerelle clients` manages in the store.

    The registry reads the store's version at most every two seconds, and reloads the clients after a change. If both
    sources have the same client_id, the settings take precedence.
    """

    def __init__(self, settings: Iterable[ClientSettings], store: Store, clock: Callable[[], float]) -> None:
        self._fixed = {client.client_id: Client.from_settings(client) for client in settings}
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._version = -1
        self._checked_at = float("-inf")
        self._all: Mapping[str, Client] = self._fixed
        self._disabled: frozenset[str] = frozenset()

    def get(self, client_id: str) -> Client | None:
        """Return the client, if it is registered and enabled."""
        return self._current().get(client_id)

    def absence_reason(self, client_id: str) -> str:
        """Return why `get` returned None, for the log. An unknown client_id may be a secret in the wrong place."""
        known = client_id in self._disabled
        return f"client {client_id} is disabled" if known else f"unknown client_id of {len(client_id)} characters"

    def browser_origins(self) -> frozenset[str]:
        """Return the origins of the public clients' redirect URIs, where applications may run in a browser."""
        uris = (uri for client in self._current().values() if client.is_public for uri in client.redirect_uris)
        return frozenset(origin for origin in map(url_origin, uris) if origin is not None)

    def _current(self) -> Mapping[str, Client]:
        now = self._clock()
        if abs(now - self._checked_at) >= RELOAD_SECONDS:
            with self._lock:
                self._checked_at = now
                version = self._store.clients.version()
                if version != self._version:
                    before, were_disabled = self._all, self._disabled
                    stored, disabled = self._load()
                    self._all, self._disabled = {**stored, **self._fixed}, disabled - self._fixed.keys()
                    if self._version >= 0:  # not the first load
                        _log_changes(before, self._all, were_disabled, self._disabled)
                    self._version = version
        return self._all

    def _load(self) -> tuple[dict[str, Client], frozenset[str]]:
        """Return the enabled clients of the store, and the ids of the disabled ones."""
        all_stored = self._store.clients.all()
        found = {stored.client_id: read_stored(stored) for stored in all_stored if not stored.disabled}
        for client_id in (client_id for client_id, settings in found.items() if settings is None):
            log.error("client_unreadable", client=client_id, detail="see `passerelle clients list`")
        enabled = {name: Client.from_settings(settings) for name, settings in found.items() if settings is not None}
        return enabled, frozenset(stored.client_id for stored in all_stored if stored.disabled)


def _log_changes(
    before: Mapping[str, Client], now: Mapping[str, Client], were_disabled: frozenset[str], disabled: frozenset[str]
) -> None:
    """Log the changes here, because the command that makes them runs in another process without a log."""
    changes = {
        "added": sorted(now.keys() - before.keys() - were_disabled),
        "changed": sorted(name for name in now.keys() & before.keys() if now[name] != before[name]),
        "disabled": sorted(before.keys() & disabled),
        "enabled": sorted(now.keys() & were_disabled),
        "removed": sorted((before.keys() | were_disabled) - now.keys() - disabled),
    }
    if any(changes.values()):
        log.info("clients_changed", **changes)


def read_stored(stored: StoredClient) -> ClientSettings | None:
    """Return the settings of a stored client, or None if another version wrote them."""
    try:
        return ClientSettings.model_validate(json.loads(stored.document))
    except ValueError:
        return None


def client_document(settings: ClientSettings) -> dict[str, Any]:
    """Return what the store keeps of a client: its settings as JSON values, without a secret."""
    return settings.model_dump(mode="json", exclude_defaults=True, exclude={"client_secret", "client_secret_file"})


def validate_client(facts: Mapping[str, Any]) -> ClientSettings:
    """Return the facts as settings, or raise `ClientCommandError` with every fault. No message contains a secret."""
    try:
        settings = ClientSettings.model_validate({name: fact for name, fact in facts.items() if fact is not None})
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        lines = [f"{'.'.join(map(str, f['loc']))}: {_fault_text(f)}".removeprefix(": ") for f in faults]
        raise ClientCommandError("\n".join(line.replace("Value error, ", "") for line in lines)) from None
    if len(settings.client_name) > CLIENT_NAME_MAX_CHARS or not settings.client_name.isprintable():
        raise ClientCommandError(f"The name must be printable and have at most {CLIENT_NAME_MAX_CHARS} characters.")
    return settings


def _fault_text(fault: ErrorDetails) -> str:
    if fault["type"] != "extra_forbidden":
        return fault["msg"]
    near = get_close_matches(str(fault["loc"][-1]), ClientSettings.model_fields, n=1)
    return f"unknown field{f'; did you mean {near[0]}?' if near else ''}"


def hash_secret(secret: str) -> str:
    """Return the SHA-256 of a secret in hexadecimal."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def prefixed_hash(secret: str) -> str:
    """Return the hash of a secret in the form of `client_secret_hash`."""
    return f"sha256:{hash_secret(secret)}"


def loggable_uri(uri: str, registered: Iterable[str]) -> str:
    """Return what a log may hold of an unverified URI: its origin, and the path segments of registered URIs.

    Credentials, query and other segments can be secrets; "…" stands for such a segment.
    """
    try:
        origin = url_origin(uri)
        path = urlsplit(uri).path
    except ValueError:
        return "not a URI"
    if origin is None:
        return "not an http(s) URI"
    known = {segment for other in registered for segment in urlsplit(other).path.split("/")}
    return origin + "/".join(segment if segment in known else "…" for segment in path[:200].split("/"))


def url_origin(uri: str) -> str | None:
    """Return the origin of a URL as browsers write it (RFC 6454 §6.2); None for the schemes of native applications."""
    parts = urlsplit(uri)
    default_ports = {"http": 80, "https": 443}
    if parts.scheme not in default_ports or parts.hostname is None:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = "" if parts.port in (None, default_ports[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def _matches_any_port(registered: str, uri: str) -> bool:
    parts = urlsplit(registered)
    if parts.scheme != "http" or parts.hostname not in LOOPBACK_HOSTS or parts.port is not None:
        return False
    prefix, rest = f"http://{parts.netloc}", registered.removeprefix(f"http://{parts.netloc}")
    port = re.fullmatch(re.escape(prefix) + r":([1-9][0-9]{0,4})" + re.escape(rest), uri)
    return port is not None and int(port[1]) <= 65535
