"""Clients as a file wants them: how that differs from what is registered, and making it so, all or nothing.

The file has the fields of `[[clients]]`, and three words of its own: `disabled = true`; `client_secret_hash =
"generate"` for a client that is to have a secret without the file knowing it, where one that exists keeps what it has;
and `public = true` for one that is to have none, without which no secret is taken away.
"""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from bridge.errors import ClientCommandError
from bridge.oauth.client_store import MANAGED, ClientStore, ListedClient, checked, document_of
from bridge.oauth.clients import hash_secret
from bridge.settings import ClientSettings
from bridge.store import Store, StoredClient

GENERATE = "generate"
_ANY_HASH = "0" * 64
_HASHES = ("client_secret_hash", "former_secret_hash")
_SECRETS = frozenset({"client_secret", "client_secret_file", *_HASHES})

Action = Literal["add", "change", "remove"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One entry of the file."""

    settings: ClientSettings
    """Without the secret itself; with a hash that means nothing when `generates`."""
    generates: bool
    disabled: bool
    says_public: bool
    """That it has no secret is said, not only left out."""

    @property
    def client_id(self) -> str:
        """Its name."""
        return self.settings.client_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What becomes of one client."""

    client_id: str
    action: Action
    fields: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    """Before and after, by name; of secrets in words."""
    wanted: Wanted | None = None
    keeps: tuple[str | None, str | None] = (None, None)
    """The hashes that stay, where the file leaves them to us."""

    @property
    def makes_secret(self) -> bool:
        """Whether there will be a new secret to tell."""
        return self.wanted is not None and self.wanted.generates and self.keeps[0] is None

    @property
    def takes_back(self) -> bool:
        """Whether what it holds has to end: a name that goes, comes, or is switched off or on."""
        return self.action != "change" or "disabled" in self.fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that would be done."""

    changes: tuple[Change, ...]
    unchanged: tuple[str, ...]
    not_in_file: tuple[str, ...]
    """Registered, but not in the file, and left alone."""
    seen: int
    """The version of the registrations that it was made for."""


def read_entries(entries: Sequence[Mapping[str, Any]]) -> list[Wanted]:
    """The entries of a file, checked like those of the settings.

    :raises ClientCommandError: with every fault of every entry
    """
    wanted: list[Wanted] = []
    faults: list[str] = []
    for number, entry in enumerate(entries, 1):
        name = "".join(c if c.isprintable() else "?" for c in str(entry.get("client_id", f"entry {number}")))
        try:
            wanted.append(_read_entry(dict(entry)))
        except ClientCommandError as error:
            faults += [f"{name}: {line}" for line in error.description.splitlines()]
    names = Counter(one.client_id for one in wanted)
    faults += [f"{name}: is in the file more than once" for name in sorted(names) if names[name] > 1]
    if faults:
        raise _refused(faults)
    return wanted


def plan_of(wanted: Iterable[Wanted], clients: ClientStore, store: Store, *, prune: bool) -> Plan:
    """What has to be done to get there.

    :raises ClientCommandError: when something cannot be done at all
    """
    seen = store.clients.version()
    managed = {client.client_id: client for client in clients.all() if client.source == MANAGED}
    changes: list[Change] = []
    faults: list[str] = []
    names = {one.client_id for one in wanted}
    for one in wanted:
        try:
            known = managed.get(one.client_id)
            change = _added(one) if known is None else _changed(one, known)
            if known is None or (known.shadowed and change.fields):
                clients.check_unused(one.client_id)
            changes.append(change)
        except ClientCommandError as error:
            faults.append(error.description)
    if faults:
        raise _refused(faults)
    rest = sorted(managed.keys() - names)
    return Plan(
        changes=(
            *(change for change in changes if change.action == "add" or change.fields),
            *(Change(client_id=name, action="remove") for name in rest if prune),
        ),
        unchanged=tuple(change.client_id for change in changes if change.action == "change" and not change.fields),
        not_in_file=() if prune else tuple(rest),
        seen=seen,
    )


def new_secrets(plan: Plan) -> dict[str, str]:
    """A secret for every client that is to get one."""
    return {change.client_id: secrets.token_urlsafe(32) for change in plan.changes if change.makes_secret}


def follow(plan: Plan, made: Mapping[str, str], store: Store, *, now: int) -> int:
    """Do it, in one transaction; how many grants were taken back.

    :param made: `new_secrets` of the plan
    :raises ClientCommandError: when somebody else changed a client since the plan was made; nothing was done then
    """
    revoked = store.clients.change_all(
        [_stored(change, change.wanted, made) for change in plan.changes if change.wanted is not None],
        [change.client_id for change in plan.changes if change.wanted is None],
        revoke=[change.client_id for change in plan.changes if change.takes_back],
        seen=plan.seen,
        now=now,
    )
    if revoked is None:
        raise ClientCommandError("Somebody else changed a client meanwhile, so nothing was done: look at a new plan.")
    return revoked


def entry_of(client: ListedClient, *, with_hashes: bool) -> dict[str, Any] | None:
    """A registered client as an entry of the file; None for one that cannot be read."""
    if client.settings is None:
        return None
    document = document_of(client.settings)
    entry = {name: value for name, value in document.items() if name not in _HASHES}
    if not client.settings.is_public:
        kept = {name: document[name] for name in _HASHES if name in document}
        entry |= kept if with_hashes else {"client_secret_hash": GENERATE}
    return entry | ({"disabled": True} if client.disabled else {})


def difference(before: ClientSettings, after: ClientSettings) -> dict[str, tuple[Any, Any]]:
    """What was and what is of each field that is not the same; secrets apart."""
    was, is_now = _shown(before), _shown(after)
    return {name: (was[name], is_now[name]) for name in is_now if was[name] != is_now[name]}


def _read_entry(entry: dict[str, Any]) -> Wanted:
    disabled = entry.pop("disabled", False)
    if not isinstance(disabled, bool):
        raise ClientCommandError("disabled: is true or false")
    says_public = entry.pop("public", None)
    if not isinstance(says_public, bool | None):
        raise ClientCommandError("public: is true or false")
    generates = entry.get("client_secret_hash") == GENERATE
    if generates:
        if "former_secret_hash" in entry:
            raise ClientCommandError(f'former_secret_hash: goes with a client_secret_hash, not with "{GENERATE}"')
        entry["client_secret_hash"] = _ANY_HASH
    settings = checked(entry)
    if settings.client_secret is not None:
        hashed = f"sha256:{hash_secret(settings.client_secret.get_secret_value())}"
        settings = checked(document_of(settings) | {"client_secret_hash": hashed})
    if says_public is not None and says_public is not settings.is_public:
        missing = f'needs a secret when it is false: client_secret_hash = "{GENERATE}" makes one'
        raise ClientCommandError(f"public: {'has no secret when it is true: leave it out' if says_public else missing}")
    return Wanted(settings=settings, generates=generates, disabled=disabled, says_public=bool(says_public))


def _added(one: Wanted) -> Change:
    given = document_of(one.settings).keys() - _SECRETS - {"client_id"}
    after = _shown(one.settings)
    told = {name: (None, after[name]) for name in after if name in given}
    told |= {"secret": (None, _secret_words(one))}
    return Change(
        client_id=one.client_id,
        action="add",
        wanted=one,
        fields=told | ({"disabled": (None, True)} if one.disabled else {}),
    )


def _changed(one: Wanted, known: ListedClient) -> Change:
    if known.settings is None:
        raise ClientCommandError(
            f"What is stored of {one.client_id} cannot be read: another version wrote it. Remove it first."
        )
    if one.settings.is_public and not (known.settings.is_public or one.says_public):
        raise ClientCommandError(
            f'{one.client_id}: has a secret, and the file names none. Write client_secret_hash = "{GENERATE}", which '
            "keeps it, or public = true, which takes it away and leaves the client bound to PKCE alone."
        )
    fields = difference(known.settings, one.settings)
    hashes = _hashes(known.settings)
    keeps = hashes if one.generates else (None, None)
    if (hashes[0] is None) if one.generates else (hashes != _hashes(one.settings)):
        fields["secret"] = _secret_change(one, hashes)
    if known.disabled != one.disabled:
        fields["disabled"] = (known.disabled, one.disabled)
    return Change(client_id=one.client_id, action="change", fields=fields, wanted=one, keeps=keeps)


def _shown(settings: ClientSettings) -> dict[str, Any]:
    return settings.model_dump(mode="json", exclude=set(_SECRETS) | {"client_id"})


def _hashes(settings: ClientSettings) -> tuple[str | None, str | None]:
    """In one spelling."""
    known = (settings.client_secret_hash, settings.former_secret_hash)
    first, former = (None if one is None else f"sha256:{one.removeprefix('sha256:')}" for one in known)
    return first, former


def _secret_words(one: Wanted) -> str:
    if one.settings.is_public:
        return "none (public)"
    return "a new one, told once" if one.generates else "as in the file"


def _secret_change(one: Wanted, hashes: tuple[str | None, str | None]) -> tuple[str, str]:
    first, former = hashes
    was = "none (public)" if first is None else "as registered" + (", and the former one" if former else "")
    if first is not None and not one.generates and _hashes(one.settings) == (first, None):
        return was, "as registered, without the former one"
    return was, _secret_words(one)


def _stored(change: Change, wanted: Wanted, made: Mapping[str, str]) -> StoredClient:
    document = document_of(wanted.settings)
    if wanted.generates:
        first, former = change.keeps
        document["client_secret_hash"] = first or f"sha256:{hash_secret(made[change.client_id])}"
        document |= {} if former is None else {"former_secret_hash": former}
    text = json.dumps(document, sort_keys=True)
    return StoredClient(client_id=change.client_id, document=text, disabled=wanted.disabled)


def _refused(faults: Sequence[str]) -> ClientCommandError:
    listed = "".join(f"\n  - {fault}" for fault in faults)
    return ClientCommandError(f"Nothing was changed; correct this and try again:{listed}")
