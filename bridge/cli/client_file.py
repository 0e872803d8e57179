"""`passerelle clients apply` and `export`: all managed clients as one file."""

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

from bridge.cli.client_options import file_path, yes_option
from bridge.cli.output import change_fields, change_text, note, print_json
from bridge.cli.store import open_clients
from bridge.errors import BridgeError
from bridge.oauth.client_plan import Plan, apply_plan, build_plan, export_entry, generate_secrets, read_entries
from bridge.settings import describe_read_error
from bridge.settings.sources import ENCODING, with_client_secrets

EXIT_WOULD_CHANGE = 3
MAX_BYTES = 10_000_000


@click.command()
@click.argument("file", callback=file_path)
@click.option("--dry-run", is_flag=True, help=f"Show the plan only; exit with {EXIT_WOULD_CHANGE} if it has changes.")
@click.option("--prune", is_flag=True, help="Remove the clients that are not in FILE.")
@yes_option
@click.option(
    "--secrets-file",
    callback=file_path,
    metavar="PATH",
    help="Write new secrets to this new file (mode 600, JSON) instead of standard output.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; needs --yes or --dry-run.")
def apply(*, file: Path, dry_run: bool, prune: bool, yes: bool, secrets_file: Path | None, as_json: bool) -> None:
    """Apply FILE to the registered clients: print the changes, ask for confirmation, and make all of them or none.

    FILE is TOML and has [[clients]] tables with the fields of the settings; `-` is standard input. It has three
    additions. `client_secret_hash = "generate"` generates a secret, which is shown once; an existing client keeps its
    secret. `disabled = true` disables a client. `public = true` makes a client public, and is required to remove its
    secret. A new client without a secret or hash is public. Clients defined in the settings file are not affected.
    Applying the same file again changes nothing.

    \b
    Examples:
        passerelle clients export > clients.toml
        passerelle clients apply clients.toml
        passerelle clients apply clients.toml --prune --yes --secrets-file new-secrets.json

    \b
    Exit status: 0 success, 1 error or confirmation denied, 2 invalid options, 3 --dry-run found changes.
                 With 1 and 3 nothing was changed.
    """
    asks = not (yes or dry_run)
    if asks and as_json:
        raise click.UsageError("--json cannot ask for confirmation: pass --yes or --dry-run as well.")
    if asks and str(file) == "-":
        raise click.UsageError("Standard input holds the file and cannot confirm: pass --yes or --dry-run.")
    entries = read_entries(_read(file, prune))
    with open_clients() as (_, clients):
        plan = build_plan(entries, clients, prune=prune)
        if not as_json:
            click.echo(_plan_text(plan))
        if dry_run or not plan.changes:
            if as_json:
                print_json(_plan_fields(plan, {}, applied=False))
            sys.exit(EXIT_WOULD_CHANGE if plan.changes else 0)
        if not yes:
            click.confirm("Apply these changes?", abort=True, err=True)
        new_secrets = generate_secrets(plan)
        with _secrets_file(secrets_file, new_secrets):
            revoked = apply_plan(plan, new_secrets, clients)
    shown = {} if secrets_file is not None else new_secrets
    if as_json:
        print_json(_plan_fields(plan, shown, applied=True))
        return
    click.echo(f"Done. Revoked grants: {revoked}. A running bridge applies the changes within seconds.", err=True)
    for client_id, secret in shown.items():
        click.echo(f"client_id: {client_id}\nclient_secret: {secret}")
    if shown:
        click.echo("The secrets are shown only once; the bridge stores their hashes.", err=True)
    elif new_secrets:
        click.echo(f"The new secrets are in {secrets_file}.", err=True)


@click.command()
@click.option("--hashes", is_flag=True, help="Include the secret hashes, so that another installation keeps secrets.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of TOML.")
def export(hashes: bool, as_json: bool) -> None:
    """Print the managed clients as a file for `clients apply`, without those of the settings file.

    The file contains no secrets, because the bridge stores none. Without --hashes each confidential client says
    "generate". Applied here, it keeps its secret; applied to another installation, it gets a new one.
    """
    with open_clients() as (_, clients):
        exported = {client.client_id: export_entry(client, with_hashes=hashes) for client in clients.managed()}
    entries = [entry for entry in exported.values() if entry is not None]
    for client_id in (client_id for client_id, entry in exported.items() if entry is None):
        click.echo(f"Left out: {client_id} cannot be read, because another version wrote it.", err=True)
    if hashes:
        note("a hash does not give access, but an attacker can guess a weak secret from it: keep the file private.")
    if as_json:
        print_json({"clients": entries})
    else:
        click.echo(as_toml(entries), nl=False)


def as_toml(entries: list[dict[str, Any]]) -> str:
    """Return the entries as TOML, each with its client_id first."""
    tables = ["# For `passerelle clients apply`.\n"]
    for entry in entries:
        pairs = sorted(entry.items(), key=lambda item: item[0] != "client_id")
        tables.append("\n".join(["[[clients]]", *(f"{name} = {_toml(value)}" for name, value in pairs), ""]))
    return "\n".join(tables)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_toml(key)} = {_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    # TOML quotes strings like JSON, except that it rejects DEL and the surrogate pairs of ASCII-only JSON.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _read(file: Path, prune: bool) -> list[Mapping[str, Any]]:
    shown = "standard input" if str(file) == "-" else str(file)
    try:
        with click.open_file(str(file), "rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise click.ClickException(f"{shown} is longer than {MAX_BYTES} bytes.")
        document = tomllib.loads(content.decode(ENCODING))
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"Cannot read {shown}: {describe_read_error(error)}.") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise click.ClickException(f"{shown} is not TOML: {str(error) or 'nested too deeply'}.") from None
    entries = document.pop("clients", [])
    if document:
        raise click.ClickException(f"{shown} has {', '.join(sorted(document))}: only [[clients]] is allowed.")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise click.ClickException(f"{shown}: clients must be a list of tables, each below a line [[clients]].")
    if prune and not entries:
        raise click.ClickException(f"{shown} has no clients, so --prune would remove all of them. Nothing was changed.")
    faults: list[str] = []
    entries = with_client_secrets(entries, faults)
    if faults:
        raise click.ClickException("\n".join(faults))
    return list(entries)


@contextmanager
def _secrets_file(path: Path | None, secrets: Mapping[str, str]) -> Iterator[None]:
    """Write the secrets before the change, so that a crash loses none, and delete the file if the change fails."""
    if path is None or not secrets:
        yield
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise click.ClickException(f"{path} exists already: name a new file for the secrets.") from None
    except OSError as error:
        raise click.ClickException(f"Cannot write {path}: {describe_read_error(error)}. Nothing was changed.") from None
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(json.dumps(dict(secrets), indent=2) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        yield
    except (BridgeError, OSError):
        path.unlink(missing_ok=True)  # nothing was changed
        raise
    except BaseException:
        # The change may be committed already, and then this file is the only copy of the secrets.
        note(f"{path} holds secrets that are valid if `clients list` shows their clients as changed.")
        raise


def _plan_text(plan: Plan) -> str:
    counts = Counter(change.action for change in plan.changes)
    ignored = f", {len(plan.not_in_file)} not in the file and not affected" if plan.not_in_file else ""
    unchanged = f"{len(plan.unchanged)} unchanged{ignored}."
    if not plan.changes:
        return f"Nothing to change: {unchanged}"
    summary = f"{counts['add']} to add, {counts['change']} to change, {counts['remove']} to remove, {unchanged}"
    return "\n".join([*map(change_text, plan.changes), summary])


def _plan_fields(plan: Plan, secrets: Mapping[str, str], *, applied: bool) -> dict[str, Any]:
    return {
        "applied": applied,
        "changes": [
            {"client_id": change.client_id, "action": change.action, "fields": change_fields(change)}
            for change in plan.changes
        ],
        "unchanged": list(plan.unchanged),
        "not_in_file": list(plan.not_in_file),
        "secrets": dict(secrets),
    }
