"""The command `passerelle check`."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge.check.findings import Finding
from bridge.cli.check_output import count_levels, format_report, format_settings_errors
from bridge.cli.store import now
from bridge.errors import ConfigurationError
from bridge.oauth.client_store import ClientStore
from bridge.oauth.keys import check_secret_key
from bridge.settings import ClientSettings, Settings, config_file_in_use, default_config_files, files_with_secrets, load
from bridge.store import Store
from passerelle_common.i18n import LANGUAGES

if TYPE_CHECKING:
    from bridge.check.registration import RegistrationRequest
    from bridge.check.run import Report

PROGRESS_SECONDS = 2.0


@click.command()
@click.option(
    "--ca-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Certificates (PEM) to trust for our own public address, in addition to this machine's.",
)
@click.option("--no-public", is_flag=True, help="Skip our own public address, which needs a running bridge.")
@click.option("--message", "only_message", is_flag=True, help="Print only the message to the CAS administrator.")
@click.option(
    "--language",
    type=click.Choice([*LANGUAGES, "both"]),
    help="Language of that message; by default the terminal's, en or fr.",
)
@click.option("--json", "wants_json", is_flag=True, help="Print everything as one JSON object.")
def check(ca_file: Path | None, no_public: bool, only_message: bool, language: str | None, wants_json: bool) -> None:
    """Find out what prevents users from signing in, and how to fix it.

    Probes the CAS server and our own public address, and connects to the applications that receive sign-outs. It
    changes nothing and signs no user in or out. CAS receives made-up tickets only, and applications receive no data.
    It takes seconds, and at most a minute if a server does not respond. Run it where the bridge runs, with the
    bridge's settings.

    \b
    Each line begins with one of
        ok       correct
        note     worth knowing
        warning  it works badly, or will soon fail
        FAULT    users cannot sign in or out
    All lines but ok say what this means and what to do. The first FAULT often explains the others.

    \b
    Installing step by step:
        passerelle check --no-public     settings and CAS, before the bridge runs
                                         (bundle: docker compose run --rm bridge passerelle check --no-public)
        passerelle check --message       print a ready-to-send message to the CAS administrator
        passerelle serve                 start the bridge behind its proxy
        passerelle check                 check the public address as well
        (sign in once, sign out at CAS)
        passerelle check                 check the attributes and sign-outs that CAS sent

    Exit status: 0 without a FAULT, 1 with one, 2 for wrong options.
    """
    if only_message and wants_json:
        raise click.UsageError("--json includes the message: omit --message.")
    settings = _load_settings(wants_json, only_message)
    report = run_check(
        settings, ca_file, checks_public=not (no_public or only_message), checks_applications=not only_message
    )
    message = format_messages(report.request, message_languages(language))
    if wants_json:
        _print_json(report.request, report.findings)
    elif only_message:
        click.echo(message, nl=False)
    else:
        click.echo(format_report(report, message, in_bundle=_edge_certificate() is not None))
    sys.exit(int(any(finding.level == "FAULT" for finding in report.findings)))


def _load_settings(wants_json: bool, only_message: bool) -> Settings:
    from bridge.check.installation import evaluate_settings  # noqa: PLC0415  loads requests

    try:
        return load(os.environ, default_config_files())
    except ConfigurationError as error:
        found = evaluate_settings(error.faults)
        if wants_json:
            _print_json(None, found)
        else:
            text = format_settings_errors(found, in_bundle=_edge_certificate() is not None)
            click.echo(text, err=only_message)
        sys.exit(1)


def run_check(
    settings: Settings,
    ca_file: Path | None,
    *,
    checks_public: bool,
    checks_applications: bool = True,
    settings_file: str | None = None,
) -> Report:
    """Run the whole check and show its progress on a terminal."""
    from bridge.check.lab_hosts import LabHostCheck  # noqa: PLC0415  loads requests, as the next one
    from bridge.check.run import run_checks  # noqa: PLC0415  loads requests, which other commands do not need

    hub_url = os.environ.get("EDGE_HUB_URL")  # compose.yml sets the variables EDGE_…, in the bundle only
    labs = hub_url and LabHostCheck(
        hub_url=hub_url,
        lab_host=os.environ.get("EDGE_LAB_HOST", "").lower(),
        edge_certificate=_edge_certificate(),
        ca_option=ca_file,
        cas_ca_file=settings.cas_ca_file,
    )

    return run_checks(
        settings,
        list_clients=lambda store: _active_clients(settings, store),
        check_keys=lambda store: check_secret_key(store.keys.all(), settings.secret_key.get_secret_value()),
        ca_option=ca_file,
        edge_certificate=_edge_certificate(),
        labs=labs or None,
        settings_file=settings_file or config_file_in_use(os.environ, default_config_files()),
        secret_files=files_with_secrets(os.environ, [Path(settings_file)] if settings_file else default_config_files()),
        checks_public=checks_public,
        checks_applications=checks_applications,
        progress=_show_progress,
    )


def _edge_certificate() -> Path | None:
    """Return the certificate of the edge, which compose.yml names in the bundle only."""
    return Path(named) if (named := os.environ.get("EDGE_CERT_FILE")) else None


def _active_clients(settings: Settings, store: Store) -> list[ClientSettings]:
    known = ClientStore(settings.clients, store, now=now()).all()
    return [one.settings for one in known if one.settings is not None and not one.disabled and not one.shadowed]


@contextmanager
def _show_progress(name: str) -> Iterator[None]:
    """Print on a terminal which server the check waits for, if it takes long."""
    if not sys.stderr.isatty():
        yield
        return
    began = time.monotonic()
    timer = threading.Timer(PROGRESS_SECONDS, lambda: click.echo(f"… waiting for {name}", err=True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if (took := time.monotonic() - began) > PROGRESS_SECONDS:
            click.echo(f"… {name}: {took:.0f} s", err=True)


def message_languages(option: str | None) -> Sequence[str]:
    """Return the languages of the message: those of the option, else that of the terminal."""
    if option == "both":
        return LANGUAGES
    variables = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    first = option or next(filter(None, variables), "en")
    return ["fr"] if first.startswith("fr") else ["en"]


def format_messages(request: RegistrationRequest, languages: Sequence[str]) -> str:
    """Return the message to the CAS administrator in each language."""
    return f"\n{'-' * 72}\n\n".join(request.text(language) for language in languages)


def _print_json(request: RegistrationRequest | None, findings: Sequence[Finding]) -> None:
    """Print the JSON report. It always has the same keys; those of invalid settings are null."""
    registration = request and request.registration
    report = {
        "version": version("passerelle"),
        "issuer": registration and registration.issuer,
        "cas_url": request and request.cas_url,
        "service_pattern": registration and registration.pattern,
        "logout_url": registration and registration.logout_url,
        "findings": [
            {**asdict(one), "to_cas": one.to_cas and _in_all_languages(one.to_cas.translate)} for one in findings
        ],
        **count_levels(findings),
        "message": request and _in_all_languages(request.text),
    }
    click.echo(json.dumps(report, indent=2))


def _in_all_languages(text: Callable[[str], str]) -> dict[str, str]:
    return {language: text(language) for language in LANGUAGES}
