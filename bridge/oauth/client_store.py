"""Clients that are managed by command: what may be done to them, and what each change takes back.

A managed client is kept as the JSON of its `ClientSettings`, with hashes in place of secrets; those of the settings
file are read-only here. Running workers follow within seconds (`ClientRegistry`), so for that long one of them may
still give out something for a client that was just disabled: what it holds is taken back again when it comes back.
"""

from __future__ import annotations

import json
import re
import secrets
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bridge.errors import ClientCommandError
from bridge.oauth.clients import hash_secret
from bridge.settings import ClientSettings
from bridge.store import Store, StoredClient

CLIENT_NAME_MAX_CHARS = 120
SLUG_MAX_CHARS = 40
ATTEMPTS = 50  # each fails only where another one was done

SETTINGS, MANAGED = "settings", "managed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedClient:
    """A client as the commands show it."""

    client_id: str
    source: str
    """`settings` (read-only) or `managed`."""
    disabled: bool = False
    shadowed: bool = False
    """Managed, but the settings file has one of the same client_id, which counts."""
    settings: ClientSettings | None = None
    """None when what is stored was written by another version and cannot be read."""


class ClientStore:
    """The managed clients, beside those of the settings.

    :param now: Unix seconds
    """

    def __init__(self, fixed: Iterable[ClientSettings], store: Store, *, now: int) -> None:
        self._fixed = {client.client_id: client for client in fixed}
        self._store = store
        self._now = now

    def all(self) -> list[ListedClient]:
        """Those of the settings first."""
        fixed = [ListedClient(client_id=name, source=SETTINGS, settings=client) for name, client in self._fixed.items()]
        return [*fixed, *(self._listed(stored) for stored in self._store.clients.all())]

    def find(self, client_id: str) -> ListedClient:
        """The one that counts under this client_id.

        :raises ClientCommandError: when there is none
        """
        if found := next((client for client in self.all() if client.client_id == client_id), None):
            return found
        raise ClientCommandError(f"There is no client {client_id!r}; `passerelle clients list` shows all.")

    def add(self, facts: Mapping[str, Any], *, public: bool) -> tuple[ClientSettings, str | None]:
        """Register a client; its secret is returned once and kept nowhere.

        :param facts: the fields of `ClientSettings`; without client_id one is made from the client_name
        """
        client_id = facts.get("client_id") or _made_client_id(str(facts.get("client_name", "")))
        secret = None if public else secrets.token_urlsafe(32)
        secret_hash = None if secret is None else f"sha256:{hash_secret(secret)}"

        def new() -> tuple[ClientSettings, bool]:
            self.check_unused(client_id)
            if any(stored.client_id == client_id for stored in self._store.clients.all()):
                raise ClientCommandError(
                    f"There is a client {client_id} already: edit it, or choose another client_id."
                )
            return checked({**facts, "client_id": client_id, "client_secret_hash": secret_hash}), False

        # Of a former client of this name something may have been left by a worker that did not know yet.
        settings, _ = self._put(new, revokes=True)
        return settings, secret

    def managed(self, client_id: str) -> ClientSettings:
        """A managed client, to be changed.

        :raises ClientCommandError: when it cannot be
        """
        return self._managed(client_id)[1]

    def edit(self, client_id: str, facts: Mapping[str, Any]) -> ClientSettings:
        """Replace the fields given; a None gives a field its default back."""

        def edited() -> tuple[ClientSettings, bool]:
            found, settings = self._managed(client_id)
            return checked({**document_of(settings), **facts}), found.disabled

        return self._put(edited)[0]

    def rotate_secret(self, client_id: str, *, keep_old: bool) -> str:
        """Make a new secret; the one before stays valid beside it, or stops at once."""
        secret = secrets.token_urlsafe(32)

        def rotated() -> tuple[ClientSettings, bool]:
            found, settings = self._managed(client_id)
            _check_can_rotate(settings, keep_old=keep_old)
            former = settings.client_secret_hash if keep_old else None
            changed = {"client_secret_hash": f"sha256:{hash_secret(secret)}", "former_secret_hash": former}
            return checked({**document_of(settings), **changed}), found.disabled

        self._put(rotated)
        return secret

    def drop_former_secret(self, client_id: str) -> None:
        """End a changeover: only the newest secret is valid."""

        def ended() -> tuple[ClientSettings, bool]:
            found, settings = self._managed(client_id)
            if settings.former_secret_hash is None:
                raise ClientCommandError(f"{client_id} has one secret only, so there is no former one to drop.")
            return checked({**document_of(settings), "former_secret_hash": None}), found.disabled

        self._put(ended)

    def disable(self, client_id: str) -> int:
        """Let it do nothing any more, and take back all that it holds; how many grants."""
        return self._put(lambda: (self._managed(client_id)[1], True), revokes=True)[1]

    def enable(self, client_id: str) -> None:
        """Let it work again; its users have to sign in anew, unless it was not disabled."""
        if self._managed(client_id)[0].disabled:
            self._put(lambda: (self._managed(client_id)[1], False), revokes=True)

    def remove(self, client_id: str) -> int:
        """Forget it, and take back all that it holds; how many grants. Also one that cannot be read."""
        self._check_managed(client_id)
        self._store.clients.remove(client_id)
        return self._store.grants.revoke_client(client_id, now=self._now)

    def _listed(self, stored: StoredClient) -> ListedClient:
        try:
            settings = ClientSettings.model_validate(json.loads(stored.document))
        except (ValidationError, ValueError):
            settings = None
        return ListedClient(
            client_id=stored.client_id,
            source=MANAGED,
            disabled=stored.disabled,
            shadowed=stored.client_id in self._fixed,
            settings=settings,
        )

    def _check_managed(self, client_id: str) -> ListedClient:
        """The managed one, even under a name that the settings took over."""
        for stored in self._store.clients.all():
            if stored.client_id == client_id:
                return self._listed(stored)
        if self.find(client_id).source == SETTINGS:
            raise ClientCommandError(f"{client_id} is registered in the settings: change it there and start again.")
        raise AssertionError  # find() raises for what is nowhere

    def _managed(self, client_id: str) -> tuple[ListedClient, ClientSettings]:
        found = self._check_managed(client_id)
        if found.settings is None:
            raise ClientCommandError(
                f"What is stored of {client_id} cannot be read: another version wrote it. "
                "Use that version, or remove the client and add it again."
            )
        return found, found.settings

    def check_unused(self, client_id: str) -> None:
        """Whether a client that is not managed yet can have this name.

        :raises ClientCommandError: when the settings have it, or a user
        """
        if client_id in self._fixed:
            raise ClientCommandError(f"{client_id} is registered in the settings: choose another client_id.")
        # A client that acts for itself is its own subject (RFC 9700 §4.15): it must not be taken for a user.
        if self._store.sessions.of_subject(client_id, now=self._now) or self._store.grants.access_of_subject(
            client_id, now=self._now
        ):
            raise ClientCommandError(f"A user is called {client_id}: choose another client_id.")

    def _put(
        self, changed: Callable[[], tuple[ClientSettings, bool]], *, revokes: bool = False
    ) -> tuple[ClientSettings, int]:
        """Store what a client is to be, and whether it is disabled; how many grants were taken back with it.

        :param changed: asked again when somebody else changed a client since it looked, so that nothing is undone
        """
        for _ in range(ATTEMPTS):
            seen = self._store.clients.version()
            settings, disabled = changed()
            document = json.dumps(document_of(settings), sort_keys=True)
            stored = StoredClient(client_id=settings.client_id, document=document, disabled=disabled)
            of = [settings.client_id] if revokes else []
            revoked = self._store.clients.change_all([stored], [], revoke=of, seen=seen, now=self._now)
            if revoked is not None:
                return settings, revoked
        raise ClientCommandError(
            "Others change clients all the time, so nothing was done: try again when they are done."
        )


def _check_can_rotate(settings: ClientSettings, *, keep_old: bool) -> None:
    """Whether it can have one more secret."""
    if settings.client_secret_hash is None:
        raise ClientCommandError(f"{settings.client_id} is a public client: it has no secret, and PKCE protects it.")
    if keep_old and settings.former_secret_hash is not None:
        raise ClientCommandError(
            f"{settings.client_id} has two valid secrets already, and one more would end the older of them, which may "
            "still be the one in use. Put the newest into the application, run `passerelle clients rotate-secret "
            f"{settings.client_id} --drop-old`, and then this again. Without --keep-old, a new one ends both at once."
        )


def checked(facts: Mapping[str, Any]) -> ClientSettings:
    """The facts as settings, by the same checks that the settings file goes through.

    :raises ClientCommandError: with every fault, none of which repeats a secret
    """
    try:
        settings = ClientSettings.model_validate({name: fact for name, fact in facts.items() if fact is not None})
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        told = [f"{'.'.join(map(str, f['loc']))}: {_in_words(f)}".removeprefix(": ") for f in faults]
        raise ClientCommandError("\n".join(fault.replace("Value error, ", "") for fault in told)) from None
    if len(settings.client_name) > CLIENT_NAME_MAX_CHARS or not settings.client_name.isprintable():
        raise ClientCommandError(f"The name has to be printable, of {CLIENT_NAME_MAX_CHARS} characters at most.")
    return settings


def _in_words(fault: ErrorDetails) -> str:
    if fault["type"] != "extra_forbidden":
        return fault["msg"]
    near = get_close_matches(str(fault["loc"][-1]), ClientSettings.model_fields, n=1)
    return f"there is no such field{f'; did you mean {near[0]}?' if near else ''}"


def document_of(settings: ClientSettings) -> dict[str, Any]:
    """What is stored; a secret itself cannot be in it."""
    return settings.model_dump(mode="json", exclude_defaults=True, exclude={"client_secret", "client_secret_file"})


def _made_client_id(client_name: str) -> str:
    """Readable, and not to be chosen: the random end keeps it from being anybody's user name."""
    ascii_name = unicodedata.normalize("NFKD", client_name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_name).strip("-")[:SLUG_MAX_CHARS].strip("-")
    return f"{slug or 'client'}-{secrets.token_hex(4)}"
