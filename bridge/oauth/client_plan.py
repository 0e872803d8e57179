"""Plans: the difference between the clients of a file and the registered ones, applied in one transaction.

The file has the fields of `[[clients]]` and three additions. `disabled = true` disables a client.
`client_secret_hash = "generate"` generates a secret for a new client; an existing client keeps its secret.
`public = true` makes a client public; without it, no client loses its secret.
"""

import secrets
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from bridge.errors import ClientCommandError
from bridge.oauth.client_store import ClientEntry, ClientStore, stored_client
from bridge.oauth.clients import client_document, prefixed_hash, validate_client
from bridge.settings import ClientSettings
from bridge.store import StoredClient

GENERATE = "generate"
SECRET_FIELDS = frozenset({"client_secret", "client_secret_file", "client_secret_hash", "former_secret_hash"})
_PLACEHOLDER_HASH = "0" * 64
_HASH_FIELDS = ("client_secret_hash", "former_secret_hash")
_PUBLIC = "none (public)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The change of one client."""

    client_id: str
    action: Literal["add", "change", "remove"]
    fields: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    """The value before and after, by field name; secrets are described in words."""
    entry: ClientEntry | None = None
    """The client in the file, with the registered secret if it keeps that; None for a removal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All changes that a file requires."""

    changes: tuple[Change, ...]
    unchanged: tuple[str, ...]
    not_in_file: tuple[str, ...]
    """Managed clients that are not in the file and stay as they are."""
    seen: int
    """The version of the stored clients that the plan is based on."""


def read_entries(entries: Sequence[Mapping[str, Any]]) -> list[ClientEntry]:
    """Return the entries of a file, or raise `ClientCommandError` with every fault of every entry."""
    found: list[ClientEntry] = []
    faults: list[str] = []
    for number, entry in enumerate(entries, 1):
        name = "".join(c if c.isprintable() else "?" for c in str(entry.get("client_id", f"entry {number}")))
        try:
            found.append(_read_entry(dict(entry)))
        except ClientCommandError as error:
            faults += [f"{name}: {line}" for line in error.description.splitlines()]
    names = Counter(entry.client_id for entry in found)
    faults += [f"{name}: is in the file more than once" for name in sorted(names) if names[name] > 1]
    _check_faults(faults)
    return found


def build_plan(entries: Iterable[ClientEntry], clients: ClientStore, *, prune: bool) -> Plan:
    """Compare the result of `read_entries` with the managed clients; `prune` removes those that are not in the file.

    Raises:
        ClientCommandError: With every entry that cannot be applied.
    """
    seen = clients.store.clients.version()
    managed = {client.client_id: client for client in clients.managed()}
    changes: list[Change] = []
    faults: list[str] = []
    names = {entry.client_id for entry in entries}
    for entry in entries:
        try:
            known = managed.get(entry.client_id)
            change = _addition(entry) if known is None else _modification(entry, known)
            if known is None or (known.shadowed and change.fields):
                clients.check_unused(entry.client_id)
            changes.append(change)
        except ClientCommandError as error:
            faults.append(error.description)
    _check_faults(faults)
    others = sorted(managed.keys() - names)
    return Plan(
        changes=(
            *(change for change in changes if change.action == "add" or change.fields),
            *(Change(client_id=name, action="remove") for name in others if prune),
        ),
        unchanged=tuple(change.client_id for change in changes if change.action == "change" and not change.fields),
        not_in_file=() if prune else tuple(others),
        seen=seen,
    )


def generate_secrets(plan: Plan) -> dict[str, str]:
    """Return a new secret for every client of the plan that gets one."""
    entries = (change.entry for change in plan.changes if change.entry is not None)
    return {entry.client_id: secrets.token_urlsafe(32) for entry in entries if entry.generates_secret}


def apply_plan(plan: Plan, new_secrets: Mapping[str, str], clients: ClientStore) -> int:
    """Apply the plan with its new secrets in one transaction and return the number of revoked grants.

    Raises:
        ClientCommandError: If another command changed a client since the plan was made. Nothing is changed then.
    """
    revoked = clients.store.clients.change_all(
        [_stored(change.entry, new_secrets) for change in plan.changes if change.entry is not None],
        [change.client_id for change in plan.changes if change.entry is None],
        # An addition, a removal, disabling and enabling revoke the grants.
        revoke=[
            change.client_id for change in plan.changes if change.action != "change" or "disabled" in change.fields
        ],
        seen=plan.seen,
        now=clients.now,
    )
    if revoked is None:
        raise ClientCommandError("Another command changed a client in the meantime, so nothing was changed. Try again.")
    return revoked


def export_entry(client: ClientEntry, *, with_hashes: bool) -> dict[str, Any] | None:
    """Return a registered client as an entry of a file, or None if it cannot be read."""
    if client.settings is None:
        return None
    document = client_document(client.settings)
    entry = {name: value for name, value in document.items() if name not in _HASH_FIELDS}
    if not client.settings.is_public:
        hashes = {name: document[name] for name in _HASH_FIELDS if name in document}
        entry |= hashes if with_hashes else {"client_secret_hash": GENERATE}
    return entry | ({"disabled": True} if client.disabled else {})


def changed_fields(before: ClientSettings, after: ClientSettings) -> dict[str, tuple[Any, Any]]:
    """Return the value before and after of each field that differs, except secrets."""
    old, new = _visible_fields(before), _visible_fields(after)
    return {name: (old[name], new[name]) for name in new if old[name] != new[name]}


def _read_entry(entry: dict[str, Any]) -> ClientEntry:
    for name in ("disabled", "public"):
        if not isinstance(entry.get(name, False), bool):
            raise ClientCommandError(f"{name}: must be true or false")
    disabled, public = entry.pop("disabled", False), entry.pop("public", None)
    generates_secret = entry.get("client_secret_hash") == GENERATE
    if generates_secret:
        if "former_secret_hash" in entry:
            raise ClientCommandError(f'former_secret_hash: needs a client_secret_hash other than "{GENERATE}"')
        entry["client_secret_hash"] = _PLACEHOLDER_HASH
    settings = validate_client(entry)
    if settings.client_secret is not None:
        secret_hash = prefixed_hash(settings.client_secret.get_secret_value())
        settings = validate_client(client_document(settings) | {"client_secret_hash": secret_hash})
    if public is not None and public is not settings.is_public:
        missing = f'false needs a secret: client_secret_hash = "{GENERATE}" generates one'
        raise ClientCommandError(f"public: {'true excludes a secret: leave out the secret' if public else missing}")
    return ClientEntry(
        client_id=settings.client_id,
        settings=settings,
        source="file",
        disabled=disabled,
        generates_secret=generates_secret,
        declares_public=bool(public),
    )


def _addition(entry: ClientEntry) -> Change:
    settings = entry.readable_settings()
    given = client_document(settings).keys() - {"client_id"}
    fields = {name: (None, value) for name, value in _visible_fields(settings).items() if name in given}
    fields["secret"] = (None, _secret_text(entry, settings))
    if entry.disabled:
        fields["disabled"] = (None, True)
    return Change(client_id=entry.client_id, action="add", entry=entry, fields=fields)


def _modification(entry: ClientEntry, known: ClientEntry) -> Change:
    before, after = known.readable_settings(), entry.readable_settings()
    if after.is_public and not (before.is_public or entry.declares_public):
        raise ClientCommandError(
            f'{entry.client_id}: has a secret, but the file has none. Write client_secret_hash = "{GENERATE}" to keep '
            "it, or public = true to remove it, which leaves the client with PKCE only."
        )
    if entry.generates_secret and not before.is_public:
        after = after.model_copy(update={name: getattr(before, name) for name in _HASH_FIELDS})
        entry = replace(entry, settings=after, generates_secret=False)
    fields = changed_fields(before, after)
    if any(getattr(before, name) != getattr(after, name) for name in _HASH_FIELDS):
        fields["secret"] = _secret_change(entry, before, after)
    if known.disabled != entry.disabled:
        fields["disabled"] = (known.disabled, entry.disabled)
    return Change(client_id=entry.client_id, action="change", fields=fields, entry=entry)


def _visible_fields(settings: ClientSettings) -> dict[str, Any]:
    return settings.model_dump(mode="json", exclude={*SECRET_FIELDS, "client_id"})


def _secret_text(entry: ClientEntry, settings: ClientSettings) -> str:
    if settings.is_public:
        return _PUBLIC
    return "new (shown once)" if entry.generates_secret else "from the file"


def _secret_change(entry: ClientEntry, before: ClientSettings, after: ClientSettings) -> tuple[str, str]:
    if before.is_public:
        return _PUBLIC, _secret_text(entry, after)
    registered = "registered" + (", and the former one" if before.former_secret_hash else "")
    is_kept = after.client_secret_hash == before.client_secret_hash and after.former_secret_hash is None
    return registered, "registered, without the former one" if is_kept else _secret_text(entry, after)


def _stored(entry: ClientEntry, new_secrets: Mapping[str, str]) -> StoredClient:
    document = client_document(entry.readable_settings())
    if entry.generates_secret:
        document["client_secret_hash"] = prefixed_hash(new_secrets[entry.client_id])
    return stored_client(document, disabled=entry.disabled)


def _check_faults(faults: Sequence[str]) -> None:
    if faults:
        listed = "".join(f"\n  - {fault}" for fault in faults)
        raise ClientCommandError(f"Nothing was changed. Correct the following and try again:{listed}")
