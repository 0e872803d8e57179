"""How `passerelle clients` shows clients: tables and lists for people, JSON for scripts. Never a secret or its hash."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from bridge.oauth.client_plan import Change
from bridge.oauth.client_store import ListedClient
from bridge.settings import ClientSettings

_SIGNS = {"add": "+", "change": "~", "remove": "-"}
_SECRETS = {"client_secret", "client_secret_file", "client_secret_hash", "former_secret_hash"}


def row_of(client: ListedClient) -> dict[str, Any]:
    """One client as JSON."""
    row: dict[str, Any] = {"client_id": client.client_id, "source": client.source, "state": _state(client)}
    if client.settings is not None:
        settings = client.settings
        row["type"] = "public" if settings.is_public else "confidential"
        row["secrets"] = secrets_of(settings)
        row |= settings.model_dump(mode="json", exclude=_SECRETS | {"client_id"}, exclude_none=True)
    return row


def secrets_of(settings: ClientSettings) -> int:
    """How many are valid."""
    return 0 if settings.is_public else 1 + (settings.former_secret_hash is not None)


def table(clients: Iterable[ListedClient]) -> str:
    """One line a client, columns as wide as they have to be."""
    rows = [("CLIENT_ID", "NAME", "TYPE", "GRANTS", "SOURCE", "STATE")]
    for client in clients:
        settings = client.settings
        name = kind = grants = "?"
        if settings is not None:
            name, grants = settings.client_name or "-", " ".join(settings.grant_types)
            kind = "public" if settings.is_public else "confidential"
        source = "settings (read-only)" if client.source == "settings" else client.source
        rows.append((client.client_id, plain(name), kind, grants, source, _state(client)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def listing(client: ListedClient) -> str:
    """One fact a line."""
    lines = []
    for name, value in row_of(client).items():
        if isinstance(value, dict):
            shown = [f"{key} = {' | '.join(values)}" for key, values in value.items()]
        else:
            shown = value if isinstance(value, list) else [value]
        lines += [f"{name:30}{plain(_word(one))}" for one in shown if one != ""]
    return "\n".join(lines)


def change_text(change: Change) -> str:
    """What becomes of a client, field by field."""
    lines = [f"{_SIGNS[change.action]} {change.client_id}"]
    for name, (before, after) in change.fields.items():
        arrow = f"{_value(before)} -> " if change.action == "change" else ""
        lines.append(f"    {name}: {arrow}{_value(after)}")
    return "\n".join(map(plain, lines))


def fields_of(change: Change) -> dict[str, dict[str, Any]]:
    """The same for scripts."""
    return {name: {"before": before, "after": after} for name, (before, after) in change.fields.items()}


def plain(text: str) -> str:
    """Without characters that a terminal would obey."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _value(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def _word(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _state(client: ListedClient) -> str:
    if client.shadowed:
        return "overruled by the settings"
    if client.disabled:
        return "disabled"
    return "enabled" if client.settings is not None else "unreadable (written by another version)"
