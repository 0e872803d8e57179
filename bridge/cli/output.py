"""Output of commands: text for terminals, JSON for scripts, and notes. Stored secrets never appear."""

import json
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

import click

from bridge.oauth.client_plan import SECRET_FIELDS, Change
from bridge.oauth.client_store import ClientEntry, ClientStore
from bridge.oauth.clients import Client
from bridge.settings import ClientSettings, is_loopback


def print_json(data: Any) -> None:
    """Print data as JSON."""
    click.echo(json.dumps(data, indent=2))


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows of cells in columns; the first row holds the titles."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def printable(text: str) -> str:
    """Replace the characters that control a terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)


def note(sentence: str) -> None:
    """Print a note on standard error."""
    click.echo(f"Note: {sentence}", err=True)


def print_credentials(client_id: str, secret: str | None, as_json: bool, details: dict[str, Any] | None = None) -> None:
    """Print a new client_id and its secret, the only time that it is available; `details` go into the JSON only."""
    credentials = {"client_id": client_id, **({} if secret is None else {"client_secret": secret})}
    if as_json:
        print_json({**credentials, **(details or {})})
        return
    for name, value in credentials.items():
        click.echo(f"{name}: {value}")
    if secret is not None:
        click.echo("The secret is shown only once; the bridge stores its hash.", err=True)


def client_fields(client: ClientEntry) -> dict[str, Any]:
    """Return the fields of a client for scripts."""
    fields: dict[str, Any] = {"client_id": client.client_id, "source": client.source, "state": _state(client)}
    if (settings := client.settings) is not None:
        fields["type"] = _type(settings)
        fields["secrets"] = 0 if settings.is_public else 1 + (settings.former_secret_hash is not None)
        fields |= settings.model_dump(mode="json", exclude={*SECRET_FIELDS, "client_id"}, exclude_none=True)
    return fields


def client_rows(clients: Iterable[ClientEntry]) -> Sequence[Sequence[str]]:
    """Return a table with one row per client."""
    rows = [("CLIENT_ID", "NAME", "TYPE", "GRANTS", "SOURCE", "STATE")]
    for client in clients:
        name = kind = grants = "?"
        if (settings := client.settings) is not None:
            name, kind, grants = settings.client_name or "-", _type(settings), " ".join(settings.grant_types)
        source = "settings (read-only)" if client.source == "settings" else client.source
        rows.append((client.client_id, printable(name), kind, grants, source, _state(client)))
    return rows


def client_lines(client: ClientEntry) -> str:
    """Return the fields of a client, one value per line."""
    lines = []
    for name, value in client_fields(client).items():
        shown: list[Any] = value if isinstance(value, list) else [yes_or_no(value)]
        if isinstance(value, dict):
            shown = [f"{key} = {' | '.join(values)}" for key, values in value.items()]
        lines += [f"{name:30}{printable(str(one))}" for one in shown if one != ""]
    return "\n".join(lines)


def yes_or_no(value: Any) -> Any:
    """Return a boolean as a word, and any other value unchanged."""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value


def change_text(change: Change) -> str:
    """Return a change as text, field by field."""
    sign = {"add": "+", "change": "~", "remove": "-"}[change.action]
    lines = [f"{sign} {change.client_id}"]
    for name, (before, after) in change.fields.items():
        arrow = f"{_value(before)} -> " if change.action == "change" else ""
        lines.append(f"    {name}: {arrow}{_value(after)}")
    return "\n".join(map(printable, lines))


def change_fields(change: Change) -> dict[str, dict[str, Any]]:
    """Return the changed fields for scripts."""
    return {name: {"before": before, "after": after} for name, (before, after) in change.fields.items()}


def print_notes(client: ClientSettings, store: ClientStore, before: ClientSettings | None = None) -> None:
    """Print notes about possible mistakes in a new client, or in one that a command changed."""
    if before is None or before.redirect_uris != client.redirect_uris:
        uris = {uri for uri in client.redirect_uris if not is_loopback(urlsplit(uri).hostname)}
        for other in store.all():
            if other.settings is not None and other.client_id != client.client_id:
                for uri in sorted(uris.intersection(other.settings.redirect_uris)):
                    note(f"{other.client_id} also has the redirect URI {uri}.")
    old, new = (
        Client.from_settings(one).sector if one is not None and one.subject_type == "pairwise" else None
        for one in (before, client)
    )
    if before is not None and old != new:
        hint = f" Pass --sector-identifier {old} to keep the current sub." if old and new else ""
        note(f"{client.client_id} sees its users under another sub from now on.{hint}")
    if new and {"profile", "email"} & set(client.scopes):
        note("the scopes profile and email identify the user, so a pairwise sub alone does not hide them.")


def _type(settings: ClientSettings) -> str:
    return "public" if settings.is_public else "confidential"


def _value(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def _state(client: ClientEntry) -> str:
    if client.shadowed:
        return "overridden by the settings"
    if client.disabled:
        return "disabled"
    return "enabled" if client.settings is not None else "unreadable (written by another version)"
