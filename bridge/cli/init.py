"""`passerelle init`."""

import os
import shlex
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from bridge.cli.check import format_messages, message_languages, run_check
from bridge.cli.check_output import format_report
from bridge.errors import ConfigurationError
from bridge.first_run.answers import DATABASE_NAME, Answers, data_folder_fault, default_bind
from bridge.first_run.setup import Owner, check_not_set_up, find_owner, run_as, set_up
from bridge.settings import (
    CONFIG_NAME,
    FILE_NAME,
    SYSTEM_FOLDER,
    default_config_files,
    is_loopback,
    load,
    setting_fault,
)

SYSTEM_DATA = Path("/var/lib/passerelle")
SYSTEM_USER = "passerelle"
# Environment variables that override values in the new file.
_OVERRIDES = [f"PASSERELLE_{name}{end}" for name in ("SECRET_KEY", "DATABASE_URL") for end in ("", "_FILE")]
_INTRODUCTION = "Five questions. Enter accepts the default in brackets; Ctrl-C cancels without changes.\n"
_QUESTIONS = {
    "issuer": (
        "1. Public URL of this bridge. It is part of every token and of the registration at CAS, so choose it for\n"
        "   good. Examples: https://auth.example.org, or https://example.org/sso below a path; to try it on this\n"
        "   machine, http://localhost:8000.",
        "Public URL",
    ),
    "cas_url": ("2. Base URL of your CAS, without /login. Example: https://sso.example.org/cas.", "CAS URL"),
    "data": ("3. Folder for the SQLite database. (For PostgreSQL, use --database-url-file.)", "Data folder"),
    "bind": (
        "4. Address to listen on, in plain http: 127.0.0.1 for a proxy on this machine, 0.0.0.0 for one elsewhere.",
        "Listen on",
    ),
    "proxy_hops": (
        "5. Number of reverse proxies that append to X-Forwarded-For: 1 behind nginx, Apache, Caddy or Traefik,\n"
        "   2 with a load balancer in front of it, 0 without a proxy.",
        "Proxies",
    ),
}


@click.command()
@click.option("--issuer", metavar="URL", envvar="PASSERELLE_ISSUER", help="1. Public URL of this bridge.")
@click.option("--cas-url", metavar="URL", envvar="PASSERELLE_CAS_URL", help="2. Base URL of CAS, without /login.")
@click.option("--data", metavar="FOLDER", type=click.Path(path_type=Path), help="3. Folder for the SQLite database.")
@click.option("--bind", metavar="HOST:PORT", envvar="PASSERELLE_BIND", help="4. Address to listen on.")
@click.option("--proxy-hops", type=int, envvar="PASSERELLE_PROXY_HOPS", help="5. Number of reverse proxies.")
@click.option("--contact", default="", envvar="PASSERELLE_SUPPORT_CONTACT", help="Contact shown on pages.")
@click.option(
    "--cas-ca-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Certificates (PEM) to trust for CAS, for a private certificate authority.",
)
@click.option(
    "--database-url-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Use PostgreSQL: a file that holds postgresql://USER:PASSWORD@HOST/DATABASE.",
)
@click.option("--folder", type=click.Path(path_type=Path), help="Folder for the settings, instead of this one.")
@click.option("--owner", metavar="USER", help="User that will run the bridge, if you are root.")
@click.option(
    "--system", is_flag=True, help="Set up for systemd: /etc/passerelle, /var/lib/passerelle, user passerelle."
)
@click.option("--yes", is_flag=True, help="Use the defaults instead of asking.")
@click.option("--no-check", is_flag=True, help="Skip the check of CAS.")
def init(system: bool, yes: bool, no_check: bool, **given: Any) -> None:
    """Set up the bridge; afterwards `passerelle serve` works.

    Asks five questions, then writes passerelle.toml and a secret key, creates the database with its signing keys, runs
    `passerelle check --no-public`, and prints the request for the CAS administrator. It overwrites nothing; after an
    interruption, run it again.

    \b
    Examples:
        passerelle init
        passerelle init --yes --issuer https://auth.example.org --cas-url https://sso.example.org/cas
        passerelle init --system        as root: /etc/passerelle, /var/lib/passerelle, user passerelle

    Exit status: 0 if all files are written, even if the check of CAS fails; 1 if not; 2 for wrong options.
    """
    folder = _absolute(given["folder"] or (SYSTEM_FOLDER if system else Path()))
    owner = find_owner(given["owner"] or (SYSTEM_USER if system else None))
    check_not_set_up(folder)
    answers = _answers(given, folder, SYSTEM_DATA if system else folder, interactive=sys.stdin.isatty() and not yes)
    set_up(answers, owner)
    click.echo(_created_files(answers))
    for variable in filter(os.environ.get, _OVERRIDES):
        click.echo(f"Note: {variable} in the environment overrides the new settings file.", err=True)
    if not no_check:
        _check(folder / FILE_NAME, owner)
    elif (warning := _plain_http_warning(answers.cas_url)) is not None:  # the check would have reported it
        click.echo(warning, err=True)
    click.echo(_next_steps(answers, owner))


def _answers(given: dict[str, Any], folder: Path, default_data: Path, *, interactive: bool) -> Answers:
    """Collect the answers from options, questions and defaults; each is validated."""
    if interactive and None in (given[name] for name in _QUESTIONS):
        click.echo(_INTRODUCTION, err=True)

    def answer(name: str, default: Any) -> Any:
        if given[name] is None and interactive:
            question, label = _QUESTIONS[name]
            click.echo(question, err=True)
            answered = click.prompt(f"   {label}", default=default, value_proc=partial(_validate, name), err=True)
            click.echo(err=True)
            return answered
        value = default if given[name] is None else given[name]
        if value is None:
            raise click.UsageError(f"{_option(name)} is required.")
        return _validate(name, value)

    issuer = answer("issuer", None)
    cas_url = answer("cas_url", None)
    data = default_data if given["database_url_file"] else answer("data", default_data)
    return Answers(
        issuer=issuer,
        cas_url=cas_url,
        folder=folder,
        data=_absolute(data),
        bind=answer("bind", default_bind(issuer)),
        proxy_hops=answer("proxy_hops", int(issuer.startswith("https:"))),  # a proxy terminates TLS
        support_contact=given["contact"],
        cas_ca_file=_absolute(given["cas_ca_file"]),
        database_url_file=_absolute(given["database_url_file"]),
    )


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _validate(name: str, value: Any) -> Any:
    """Return a valid answer; click repeats the question after an error."""
    value = value.strip() if isinstance(value, str) and name != "data" else value
    if fault := data_folder_fault(Path(value)) if name == "data" else setting_fault(name, value):
        raise click.BadParameter(fault.removeprefix(f"PASSERELLE_{name.upper()}: "), param_hint=_option(name))
    return value


def _absolute(path: Path | str | None) -> Any:
    """Make a path absolute, so that the bridge can start in any folder."""
    return None if path is None else Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100  keeps symlinks


def _plain_http_warning(cas_url: str) -> str | None:
    parts = urlsplit(cas_url)
    if parts.scheme != "http" or is_loopback(parts.hostname):
        return None
    return f"Warning: {cas_url} is plain http: passwords and tickets can be read. Set cas_url to the https URL of CAS."


def _check(file: Path, owner: Owner) -> None:
    # Loaded now, because that user may not be able to read the program's files.
    import bridge.check.run  # noqa: F401, PLC0415

    with run_as(owner):
        try:
            settings = load({**os.environ, CONFIG_NAME: str(file)})
        except ConfigurationError as error:
            click.echo(f"The files are written, but the environment is invalid. {error.description}", err=True)
            sys.exit(1)
        report = run_check(settings, None, checks_public=False, settings_file=str(file))
    click.echo(f"\n{format_report(report, format_messages(report.request, message_languages(None)))}\n")


def _created_files(answers: Answers) -> str:
    rows = [
        (answers.folder / FILE_NAME, "settings"),
        (answers.secret_key_file, "encrypts the signing keys; keep a backup elsewhere"),
    ]
    if answers.database_url_file is None:
        rows.append((answers.data / DATABASE_NAME, "database, with the signing keys"))
    width = max(len(str(file)) for file, _ in rows)
    return "\n".join(["Created", *(f"  {str(file).ljust(width)}   {what}" for file, what in rows)])


def _next_steps(answers: Answers, owner: Owner) -> str:
    file, named = answers.folder / FILE_NAME, os.environ.get(CONFIG_NAME)
    program = f"sudo -u {owner.name} {_program()}" if owner.name else _program()
    steps = [
        (f"{program} check --message", "print the request for the CAS administrator"),
        (f"{program} clients add --help", "register an application"),
        (
            "systemctl enable --now passerelle" if answers.folder == SYSTEM_FOLDER else f"{program} serve",
            f"start the bridge on {answers.bind}",
        ),
        (f"{program} check", "check the running bridge at its public URL"),
    ]
    if named or file not in default_config_files():
        export = f"export {CONFIG_NAME}={shlex.quote(str(file))}"
        steps.insert(0, (export, f"replaces {named}" if named else "or change to that folder"))
    width = max(len(command) for command, _ in steps)
    lines = ["Next", *(f"  {command.ljust(width)}   {what}" for command, what in steps)]
    if answers.issuer.startswith("https:"):
        lines.append(
            f"Your proxy must terminate TLS for {answers.issuer} and forward to {answers.bind}; see docs/install.md."
        )
    return "\n".join(lines)


def _program() -> str:
    """Return the command name, as a path if it is not in PATH."""
    program = Path(sys.argv[0])
    needs_path = program.name == "passerelle" and not shutil.which("passerelle")
    return shlex.quote(str(program.absolute())) if needs_path else "passerelle"
