"""`passerelle clients apply` and `export`: all managed clients as one file."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from bridge.cli.client_changes import client_store
from bridge.cli.client_options import FilePath
from bridge.cli.client_output import change_text, fields_of
from bridge.cli.store import now, open_store
from bridge.errors import BridgeError
from bridge.oauth.client_plan import Plan, entry_of, follow, new_secrets, plan_of, read_entries
from bridge.oauth.client_store import MANAGED, ClientStore
from bridge.settings import describe_read_error
from bridge.settings.sources import ENCODING, with_client_secrets

WOULD_CHANGE = 3
MAXIMAL_BYTES = 10_000_000


@click.command()
@click.argument("file", type=FilePath(allow_dash=True))
@click.option("--dry-run", is_flag=True, help=f"Only show the plan; exit status {WOULD_CHANGE} when it is not empty.")
@click.option("--prune", is_flag=True, help="Remove the clients that are not in FILE.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--secrets-file",
    type=FilePath(),
    metavar="PATH",
    help="Write new secrets to this new file (mode 600, JSON) instead of standard output.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; with --yes or --dry-run.")
def apply(*, file: Path, dry_run: bool, prune: bool, yes: bool, secrets_file: Path | None, as_json: bool) -> None:
    """Make the registered clients be what FILE says: show what that changes, ask, and do all of it or nothing.

    FILE is TOML and has [[clients]] with the fields that the settings have; `-` is standard input. Three words are its
    own: `client_secret_hash = "generate"` gives a client a secret that is told once and keeps the one that it has,
    `disabled = true`, and `public = true`. A new client with neither hash nor secret is a public one; one that has a
    secret loses it only by `public = true`. Clients of the settings file are none of its business. Applying the same
    file again changes nothing.

    \b
    Examples:
        passerelle clients export > clients.toml
        passerelle clients apply clients.toml
        passerelle clients apply clients.toml --prune --yes --secrets-file new-secrets.json

    \b
    Exit status: 0 done, or nothing to do; 1 a fault, or "no" to the question; 2 wrong options;
                 3 --dry-run found something to change. After 1 and 3 nothing was changed.
    """
    check_can_ask(file, asks=not (yes or dry_run), as_json=as_json)
    entries = _read(file, prune)
    with open_store() as (settings, store):
        wanted = read_entries(entries)
        plan = plan_of(wanted, ClientStore(settings.clients, store, now=now()), store, prune=prune)
        if not as_json:
            _show(plan)
        if dry_run or not plan.changes:
            if as_json:
                click.echo(json.dumps(_as_json(plan, {}, applied=False), indent=2))
            sys.exit(WOULD_CHANGE if plan.changes else 0)
        if not yes:
            click.confirm("Do this?", abort=True, err=True)
        secrets = new_secrets(plan)
        with _kept(secrets, secrets_file):
            revoked = follow(plan, secrets, store, now=now())
    told = {} if secrets_file is not None else secrets
    if as_json:
        click.echo(json.dumps(_as_json(plan, told, applied=True), indent=2))
    else:
        click.echo(f"Done; grants taken back: {revoked}. A running bridge follows within seconds.", err=True)
        _tell_secrets(told, secrets_file if secrets else None)


def check_can_ask(file: Path, *, asks: bool, as_json: bool) -> None:
    """Whether there is somebody to ask, and a place for the question."""
    if asks and as_json:
        raise click.UsageError("--json cannot ask: give --yes or --dry-run as well.")
    if asks and str(file) == "-":
        raise click.UsageError("Standard input is the file, so nobody can be asked there: give --yes or --dry-run.")


@click.command()
@click.option(
    "--hashes", is_flag=True, help="With the hashes of the secrets, so that applications keep theirs elsewhere."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of TOML.")
def export(hashes: bool, as_json: bool) -> None:
    """Print the managed clients as a file for `clients apply`; those of the settings file are left out.

    No secret is in it, since none is kept. Without --hashes each client that has one says "generate": applied here,
    that keeps it; applied to another installation, it makes a new one.
    """
    with client_store() as store:
        managed = [client for client in store.all() if client.source == MANAGED]
    entries = {client.client_id: entry_of(client, with_hashes=hashes) for client in managed}
    for client_id in (client_id for client_id, entry in entries.items() if entry is None):
        click.echo(f"Left out: {client_id} cannot be read, because another version wrote it.", err=True)
    found = [entry for entry in entries.values() if entry is not None]
    if hashes:
        click.echo(
            "Note: a hash lets nobody in, but a secret that somebody thought up can be guessed from it: keep the file "
            "to yourself.",
            err=True,
        )
    click.echo(json.dumps({"clients": found}, indent=2) if as_json else as_toml(found), nl=as_json)


def as_toml(entries: list[dict[str, Any]]) -> str:
    """For `apply`, and for people to edit."""
    tables = [
        "\n".join(["[[clients]]", *(f"{name} = {_toml(value)}" for name, value in _id_first(entry)), ""])
        for entry in entries
    ]
    return "\n".join(["# For `passerelle clients apply`.\n", *tables])


def _id_first(entry: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted(entry.items(), key=lambda item: item[0] != "client_id")


def _toml(value: Any) -> str:
    """What settings are made of: texts, numbers, truths, lists, and tables of lists."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_toml(key)} = {_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    # JSON's quoting is TOML's, but for one character, and for what JSON writes as two halves when it has to be ASCII.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _read(file: Path, prune: bool) -> list[Mapping[str, Any]]:
    shown = "standard input" if str(file) == "-" else str(file)
    try:
        if str(file) == "-":
            data = sys.stdin.buffer.read(MAXIMAL_BYTES + 1)
        else:
            with file.open("rb") as opened_file:
                data = opened_file.read(MAXIMAL_BYTES + 1)
        if len(data) > MAXIMAL_BYTES:
            raise click.ClickException(f"{shown} is longer than {MAXIMAL_BYTES} bytes: that is no list of clients.")
        said = tomllib.loads(data.decode(ENCODING))
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"Cannot read {shown}: {describe_read_error(error)}.") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise click.ClickException(f"{shown} is not TOML: {str(error) or 'nested too deeply'}.") from None
    entries = said.pop("clients", [])
    if said:
        raise click.ClickException(
            f"{shown} has {', '.join(sorted(said))}: only [[clients]] is applied by this command."
        )
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise click.ClickException(f"{shown}: clients has to be a list of tables, each under a line [[clients]].")
    if prune and not entries:
        raise click.ClickException(
            f"{shown} has no client at all, and --prune would remove every one. Nothing was done."
        )
    faults: list[str] = []
    entries = with_client_secrets(entries, faults)
    if faults:
        raise click.ClickException("\n".join(faults))
    return list(entries)


@contextmanager
def _kept(secrets: Mapping[str, str], path: Path | None) -> Iterator[None]:
    """Write them before anything counts, so that no crash can lose a secret that does; take them away when it fails."""
    if path is None or not secrets:
        yield
        return
    try:
        opened_file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise click.ClickException(f"{path} is there already: name a new file for the secrets.") from None
    except OSError as error:
        raise click.ClickException(f"Cannot write {path}: {describe_read_error(error)}. Nothing was changed.") from None
    try:
        with os.fdopen(opened_file, "w") as writing:
            writing.write(json.dumps(dict(secrets), indent=2) + "\n")
            writing.flush()
            os.fsync(writing.fileno())
        yield
    except (BridgeError, OSError):
        path.unlink(missing_ok=True)  # nothing was changed
        raise
    except BaseException:
        # Interrupted, or the database left us alone in the middle: the only copy of what may count by now.
        click.echo(f"Note: {path} holds secrets that count if `clients list` shows their clients as changed.", err=True)
        raise


def _tell_secrets(secrets: Mapping[str, str], path: Path | None) -> None:
    for client_id, secret in secrets.items():
        click.echo(f"client_id: {client_id}\nclient_secret: {secret}")
    if secrets:
        click.echo("The secrets are shown this once; only their hashes are kept.", err=True)
    if path is not None:
        click.echo(f"The new secrets are in {path}.", err=True)


def _show(plan: Plan) -> None:
    for change in plan.changes:
        click.echo(change_text(change))
    counts = Counter(change.action for change in plan.changes)
    left = f", {len(plan.not_in_file)} not in the file and left alone" if plan.not_in_file else ""
    if not plan.changes:
        click.echo(f"Nothing to do: {len(plan.unchanged)} as they should be{left}.")
    else:
        click.echo(
            f"{counts['add']} to add, {counts['change']} to change, {counts['remove']} to remove, "
            f"{len(plan.unchanged)} as they should be{left}."
        )


def _as_json(plan: Plan, secrets: Mapping[str, str], *, applied: bool) -> dict[str, Any]:
    return {
        "applied": applied,
        "changes": [
            {
                "client_id": change.client_id,
                "action": change.action,
                "fields": fields_of(change),
            }
            for change in plan.changes
        ],
        "unchanged": list(plan.unchanged),
        "not_in_file": list(plan.not_in_file),
        "secrets": dict(secrets),
    }
