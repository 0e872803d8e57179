"""Managed clients: adding, changing, disabling and removing them, and revoking what they hold.

The store keeps each managed client as the JSON of its `ClientSettings`, with hashes instead of secrets. Clients of the
settings file are read-only here. Running workers reload the clients within seconds (`ClientRegistry`). A worker that
has not reloaded yet may still issue tokens for a disabled client; enabling the client again revokes them.
"""

import json
import re
import secrets
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bridge.errors import ClientCommandError
from bridge.oauth.clients import client_document, prefixed_hash, read_stored, validate_client
from bridge.settings import ClientSettings
from bridge.store import Store, StoredClient

SLUG_MAX_CHARS = 40
MAX_ATTEMPTS = 50  # an attempt fails only if another command changed a client in the meantime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientEntry:
    """A client with its state, as the commands show it or as a file declares it."""

    client_id: str
    settings: ClientSettings | None
    """None if the stored document was written by another version and cannot be read."""
    source: Literal["settings", "managed", "file"]
    disabled: bool = False
    shadowed: bool = False
    """The settings file has a client with the same client_id, which takes precedence."""
    generates_secret: bool = False
    """The file requests a generated secret; the hash in the settings is a placeholder."""
    declares_public: bool = False
    """The file says `public = true`, so the client may lose its secret."""

    def readable_settings(self) -> ClientSettings:
        """Return the settings, or raise `ClientCommandError` if the stored document cannot be read."""
        if self.settings is None:
            raise ClientCommandError(
                f"The stored client {self.client_id} cannot be read, because another version wrote it. "
                "Use that version, or remove the client and add it again."
            )
        return self.settings


class ClientStore:
    """The managed clients, next to those of the settings."""

    def __init__(self, fixed: Iterable[ClientSettings], store: Store, *, now: int) -> None:
        """Take the clients of the settings, the store, and the current time in Unix seconds."""
        self._fixed = {client.client_id: client for client in fixed}
        self.store = store
        self.now = now

    def all(self) -> list[ClientEntry]:
        """Return all clients, those of the settings first."""
        fixed = [ClientEntry(client_id=name, source="settings", settings=one) for name, one in self._fixed.items()]
        return [*fixed, *self.managed()]

    def managed(self) -> list[ClientEntry]:
        """Return the managed clients, including those that the settings shadow."""
        return [self._entry(stored) for stored in self.store.clients.all()]

    def find(self, client_id: str) -> ClientEntry:
        """Return the client that is in effect under this client_id, or raise `ClientCommandError`."""
        if found := next((client for client in self.all() if client.client_id == client_id), None):
            return found
        raise ClientCommandError(f"There is no client {client_id!r}. `passerelle clients list` shows all clients.")

    def find_managed(self, client_id: str) -> ClientEntry:
        """Return the managed client, even if the settings shadow it, or raise `ClientCommandError`."""
        if found := next((client for client in self.managed() if client.client_id == client_id), None):
            return found
        self.find(client_id)
        raise ClientCommandError(f"{client_id} is defined in the settings: change it there and restart the bridge.")

    def add(self, facts: Mapping[str, Any], *, public: bool) -> tuple[ClientSettings, str | None]:
        """Register a client and return its settings and its secret, which is not stored; a public client has none.

        A missing client_id is generated from the client_name.
        """
        client_id = facts.get("client_id") or _generate_client_id(str(facts.get("client_name", "")))
        secret = None if public else secrets.token_urlsafe(32)
        secret_hash = None if secret is None else prefixed_hash(secret)

        def build() -> tuple[ClientSettings, bool]:
            self.check_unused(client_id)
            if any(stored.client_id == client_id for stored in self.store.clients.all()):
                raise ClientCommandError(
                    f"There is a client {client_id} already: edit it, or choose another client_id."
                )
            return validate_client({**facts, "client_id": client_id, "client_secret_hash": secret_hash}), False

        # A worker that had not reloaded yet may have issued tokens to a removed client of the same name.
        settings, _ = self._put(build, revoke=True)
        return settings, secret

    def edit(self, client_id: str, facts: Mapping[str, Any]) -> ClientSettings:
        """Replace the given fields; None resets a field to its default."""
        return self._update(client_id, lambda _: facts)[0]

    def rotate_secret(self, client_id: str, *, keep_old: bool) -> str:
        """Generate and return a new secret. The old one stays valid with `keep_old`, and ends otherwise."""
        secret = secrets.token_urlsafe(32)

        def rotate(settings: ClientSettings) -> dict[str, Any]:
            if settings.client_secret_hash is None:
                raise ClientCommandError(f"{client_id} is a public client: it has no secret, and PKCE protects it.")
            if keep_old and settings.former_secret_hash is not None:
                raise ClientCommandError(
                    f"{client_id} has two valid secrets already. A third would end the oldest one, which the "
                    "application may still use. Configure the newest secret in the application, run `passerelle "
                    f"clients rotate-secret {client_id} --drop-old`, and repeat this command. Without --keep-old, a "
                    "new secret ends both."
                )
            former = settings.client_secret_hash if keep_old else None
            return {"client_secret_hash": prefixed_hash(secret), "former_secret_hash": former}

        self._update(client_id, rotate)
        return secret

    def drop_former_secret(self, client_id: str) -> None:
        """End a rotation: only the newest secret stays valid."""

        def drop(settings: ClientSettings) -> dict[str, Any]:
            if settings.former_secret_hash is None:
                raise ClientCommandError(f"{client_id} has only one secret, so there is no former secret to drop.")
            return {"former_secret_hash": None}

        self._update(client_id, drop)

    def disable(self, client_id: str) -> int:
        """Disable a client, revoke its grants, and return their number."""
        return self._update(client_id, disabled=True)[1]

    def enable(self, client_id: str) -> None:
        """Enable a disabled client. Its users have to sign in again."""
        if self.find_managed(client_id).disabled:
            self._update(client_id, disabled=False)

    def remove(self, client_id: str) -> int:
        """Remove a client, even an unreadable one, revoke its grants, and return their number."""
        self.find_managed(client_id)
        self.store.clients.remove(client_id)
        return self.store.grants.revoke_client(client_id, now=self.now)

    def check_unused(self, client_id: str) -> None:
        """Check that neither the settings nor a user has this client_id, or raise `ClientCommandError`."""
        if client_id in self._fixed:
            raise ClientCommandError(f"{client_id} is defined in the settings: choose another client_id.")
        # With client credentials the client is its own subject (RFC 9700 §4.15), so it must not equal a user's.
        grants = self.store.grants.list_client_access(client_id, now=self.now)
        if grants or self.store.sessions.list_by_subject(client_id, now=self.now):
            raise ClientCommandError(f"A user has the name {client_id}: choose another client_id.")

    def _entry(self, stored: StoredClient) -> ClientEntry:
        return ClientEntry(
            client_id=stored.client_id,
            source="managed",
            disabled=stored.disabled,
            shadowed=stored.client_id in self._fixed,
            settings=read_stored(stored),
        )

    def _update(
        self,
        client_id: str,
        changes: Callable[[ClientSettings], Mapping[str, Any]] | None = None,
        *,
        disabled: bool | None = None,
    ) -> tuple[ClientSettings, int]:
        """Change fields of a managed client, or its state, which also revokes its grants."""

        def build() -> tuple[ClientSettings, bool]:
            entry = self.find_managed(client_id)
            settings = entry.readable_settings()
            if changes is not None:
                settings = validate_client({**client_document(settings), **changes(settings)})
            return settings, entry.disabled if disabled is None else disabled

        return self._put(build, revoke=disabled is not None)

    def _put(self, build: Callable[[], tuple[ClientSettings, bool]], *, revoke: bool) -> tuple[ClientSettings, int]:
        """Store a client, and return its settings and the number of grants revoked in the same transaction.

        `build` returns the new settings, and whether the client is disabled. It runs again if another command changed a
        client in the meantime, so that no change is lost.
        """
        for _ in range(MAX_ATTEMPTS):
            seen = self.store.clients.version()
            settings, disabled = build()
            stored = stored_client(client_document(settings), disabled=disabled)
            revoked_ids = [settings.client_id] if revoke else []
            revoked = self.store.clients.change_all([stored], [], revoke=revoked_ids, seen=seen, now=self.now)
            if revoked is not None:
                return settings, revoked
        raise ClientCommandError("Other commands keep changing clients, so nothing was changed. Try again later.")


def stored_client(document: Mapping[str, Any], *, disabled: bool) -> StoredClient:
    """Return the store's record of a client document."""
    text = json.dumps(document, sort_keys=True)
    return StoredClient(client_id=document["client_id"], document=text, disabled=disabled)


def _generate_client_id(client_name: str) -> str:
    """Return a readable client_id with a random suffix, so that it equals no user name."""
    ascii_name = unicodedata.normalize("NFKD", client_name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_name).strip("-")[:SLUG_MAX_CHARS].strip("-")
    return f"{slug or 'client'}-{secrets.token_hex(4)}"
