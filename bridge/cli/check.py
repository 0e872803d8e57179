"""`passerelle check`."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from bridge.check.examination import Report, examine
from bridge.check.findings import Finding, has_fault
from bridge.check.installation import judge_settings
from bridge.check.message import LANGUAGES, Language, Request, message
from bridge.check.registration import single_logout_url
from bridge.cli.check_output import report_text, settings_text, summary
from bridge.cli.store import now
from bridge.errors import ConfigurationError
from bridge.oauth.client_store import ClientStore
from bridge.oauth.keys import check_secret_key
from bridge.settings import ClientSettings, Settings, config_file_in_use, default_config_files, files_with_secrets, load
from bridge.store import Store

PATIENCE_SECONDS = 2.0


@click.command()
@click.option(
    "--ca-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Certificates (PEM) to trust for our own public address, beside this machine's.",
)
@click.option("--no-public", is_flag=True, help="Leave our own public address out: before the bridge runs.")
@click.option("--message", "only_message", is_flag=True, help="Print only the message to the CAS administrator.")
@click.option(
    "--language",
    type=click.Choice([*LANGUAGES, "both"]),
    help="Of that message; by default the one of this terminal, en or fr.",
)
@click.option("--json", "wants_json", is_flag=True, help="Print everything as one JSON object.")
def check(ca_file: Path | None, no_public: bool, only_message: bool, language: str | None, wants_json: bool) -> None:
    """Find out what keeps people from signing in, and say what to do about it.

    Asks the CAS server what it is, and our own public address what it serves, and connects to the applications that
    are told of sign-outs. Changes nothing, signs nobody in or out, sends CAS made-up tickets only, and applications
    nothing. Takes seconds, and a minute at most when nothing answers. Run it where the bridge runs, with the bridge's
    settings.

    \b
    Each line begins with one of
        ok       as it should be
        note     worth knowing
        warning  it works, but not well, or not for long
        FAULT    people cannot sign in or out as they should
    and all but ok say what it means and what to do. The first FAULT often explains the others.

    \b
    A Saturday with it:
        passerelle check --no-public     settings and CAS, before anything runs
                                         (bundle: docker compose run --rm bridge passerelle check --no-public)
        passerelle check --message       what to write to the CAS administrator
        passerelle serve                 start the bridge behind its proxy
        passerelle check                 now the public address as well
        (sign in once, sign out at CAS)
        passerelle check                 which attributes came, and whether CAS reports who signs out

    Exit status: 0 without a FAULT, 1 with one, 2 for wrong options.
    """
    if only_message and wants_json:
        raise click.UsageError("--json has the message in it: leave --message out.")
    settings = _settings(wants_json, only_message)
    report = examined(
        settings, ca_file, asks_public=not (no_public or only_message), asks_applications=not only_message
    )
    languages = languages_of(language)
    if wants_json:
        click.echo(json.dumps(_as_json(report.request, report.findings), indent=2))
    elif only_message:
        click.echo(messages(report, languages), nl=False)
    else:
        click.echo(report_text(report, messages(report, languages), in_bundle=_edge_certificate() is not None))
    sys.exit(int(has_fault(report.findings)))


def _settings(wants_json: bool, only_message: bool) -> Settings:
    try:
        return load(os.environ, default_config_files())
    except ConfigurationError as error:
        found = judge_settings(error.faults)
        if wants_json:
            click.echo(json.dumps(_as_json(None, found), indent=2))
        else:
            told = settings_text(found, in_bundle=_edge_certificate() is not None)
            click.echo(told, err=only_message)  # no part of a message to anybody
        sys.exit(1)


def examined(
    settings: Settings,
    ca_file: Path | None,
    *,
    asks_public: bool,
    asks_applications: bool = True,
    settings_file: str | None = None,
) -> Report:
    """The whole check, telling on a terminal what it waits for."""
    return examine(
        settings,
        clients_of=lambda store: _clients(settings, store),
        check_keys=lambda store: check_secret_key(store.keys.all(), settings.secret_key.get_secret_value()),
        ca_file=ca_file,
        edge_certificate=_edge_certificate(),
        settings_file=settings_file or config_file_in_use(os.environ, default_config_files()),
        secret_files=files_with_secrets(os.environ, [Path(settings_file)] if settings_file else default_config_files()),
        asks_public=asks_public,
        asks_applications=asks_applications,
        waiting=_told_when_slow,
    )


def _edge_certificate() -> Path | None:
    """What compose.yml tells of the edge, and nobody outside the bundle."""
    return Path(named) if (named := os.environ.get("EDGE_CERT_FILE")) else None


def _clients(settings: Settings, store: Store) -> list[ClientSettings]:
    """Those that can be signed in to."""
    known = ClientStore(settings.clients, store, now=now()).all()
    return [
        client.settings
        for client in known
        if client.settings is not None and not client.disabled and not client.shadowed
    ]


@contextmanager
def _told_when_slow(what: str) -> Iterator[None]:
    """Say on a terminal what is waited for, when it takes long."""
    if not sys.stderr.isatty():
        yield
        return
    began = time.monotonic()
    timer = threading.Timer(PATIENCE_SECONDS, lambda: click.echo(f"… waiting for {what}", err=True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if (took := time.monotonic() - began) > PATIENCE_SECONDS:
            click.echo(f"… {what}: {took:.0f} s", err=True)


def languages_of(asked: str | None) -> Sequence[Language]:
    """Of the terminal, unless asked otherwise."""
    if asked == "both":
        return LANGUAGES
    variables = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    first = asked or next(filter(None, variables), "en")
    return ["fr"] if first.startswith("fr") else ["en"]


def messages(report: Report, languages: Sequence[Language]) -> str:
    """To the CAS administrator, in each of these."""
    return f"\n{'-' * 72}\n\n".join(message(report.request, language) for language in languages)


def _as_json(request: Request | None, findings: Sequence[Finding]) -> dict[str, Any]:
    """The same keys always; null what faulty settings do not tell."""
    return {
        "version": version("passerelle"),
        "issuer": request and request.issuer,
        "cas_url": request and request.cas_url,
        "service_pattern": request and request.pattern,
        "logout_url": request and single_logout_url(request.issuer),
        "findings": [_row(finding) for finding in findings],
        **summary(findings),
        "message": request and {language: message(request, language) for language in LANGUAGES},
    }


def _row(finding: Finding) -> dict[str, Any]:
    told = finding.to_cas
    return {
        "id": finding.about,
        "level": finding.level,
        "seen": finding.seen,
        "means": finding.means,
        "do": finding.do,
        "to_cas": told and {language: getattr(told, language) for language in LANGUAGES},
    }
