"""`passerelle init`."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from bridge.cli.check import examined, languages_of, messages
from bridge.cli.check_output import report_text
from bridge.cli.store import as_click_error
from bridge.errors import ConfigurationError
from bridge.first_run.answers import DATABASE_NAME, Answers, data_folder_fault, default_bind, default_proxy_hops
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
# Of what it writes without having been told by the environment.
_OVERRULING = [f"PASSERELLE_{name}{end}" for name in ("SECRET_KEY", "DATABASE_URL") for end in ("", "_FILE")]
_INTRODUCTION = """\
Five questions. Enter takes the answer in brackets; Ctrl-C leaves everything as it is.
"""
_QUESTIONS = {
    "issuer": (
        "1. The public address of this bridge, as browsers and applications will know it. It is in every token and in\n"
        "   the registration at CAS: choose it for good. https://auth.example.org, or https://example.org/sso below a\n"
        "   path; to try it on this machine, http://localhost:8000.",
        "Public address",
    ),
    "cas_url": (
        "2. Your CAS, where people sign in: the address that its /login is below, like https://sso.example.org/cas.",
        "CAS",
    ),
    "data": (
        "3. The folder for the database: signed-in people, applications, keys. (PostgreSQL: --database-url-file.)",
        "Data folder",
    ),
    "bind": (
        "4. Where the bridge listens, in plain http: 127.0.0.1 for a proxy on this machine, 0.0.0.0 for one elsewhere.",
        "Listen on",
    ),
    "proxy_hops": (
        "5. How many proxies in front add the caller's address to X-Forwarded-For: 1 behind nginx, Apache, Caddy or\n"
        "   Traefik, 2 with a load balancer before that, 0 without any.",
        "Proxies",
    ),
}


@click.command()
@click.option("--issuer", metavar="URL", envvar="PASSERELLE_ISSUER", help="1. The public address of this bridge.")
@click.option("--cas-url", metavar="URL", envvar="PASSERELLE_CAS_URL", help="2. Your CAS: what /login is below.")
@click.option("--data", metavar="FOLDER", type=click.Path(path_type=Path), help="3. Where the SQLite database goes.")
@click.option("--bind", metavar="HOST:PORT", envvar="PASSERELLE_BIND", help="4. Where to listen.")
@click.option("--proxy-hops", type=int, envvar="PASSERELLE_PROXY_HOPS", help="5. How many proxies stand in front.")
@click.option("--contact", default="", envvar="PASSERELLE_SUPPORT_CONTACT", help="Whom pages tell people to ask.")
@click.option(
    "--cas-ca-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Certificates (PEM) to trust for CAS, for a private authority.",
)
@click.option(
    "--database-url-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Instead of SQLite: a file that holds postgresql://USER:PASSWORD@HOST/DATABASE.",
)
@click.option("--folder", type=click.Path(path_type=Path), help="Where the settings go, instead of this folder.")
@click.option("--owner", metavar="USER", help="The user that the bridge will run as, when root sets it up.")
@click.option(
    "--system", is_flag=True, help="For the systemd unit: /etc/passerelle, /var/lib/passerelle, the user passerelle."
)
@click.option("--yes", is_flag=True, help="Ask nothing: every answer that is not given is the default.")
@click.option("--no-check", is_flag=True, help="Do not ask CAS anything.")
def init(system: bool, yes: bool, no_check: bool, **given: Any) -> None:
    """Set the bridge up: five questions, then `passerelle serve` works.

    Writes passerelle.toml and a secret key beside it, makes the database with its signing keys, checks all of it as
    `passerelle check --no-public` does, and says what to tell the CAS administrator. Overwrites nothing; when it was
    interrupted, run it again.

    \b
    Examples:
        passerelle init
        passerelle init --yes --issuer https://auth.example.org --cas-url https://sso.example.org/cas
        passerelle init --system        as root: /etc/passerelle, /var/lib/passerelle, user passerelle

    Exit status: 0 when everything is written, whatever the check says of CAS; 1 when not; 2 for wrong options.
    """
    folder = _whole(given["folder"] or (SYSTEM_FOLDER if system else Path()))
    with as_click_error():
        owner = find_owner(given["owner"] or (SYSTEM_USER if system else None))
        check_not_set_up(folder)
    answers = _answers(given, folder, SYSTEM_DATA if system else folder, asks=sys.stdin.isatty() and not yes)
    with as_click_error():
        set_up(answers, owner)
    click.echo(_written(answers))
    for variable in filter(os.environ.get, _OVERRULING):
        click.echo(f"Note: {variable} in the environment wins over what is written here, while it is set.", err=True)
    if not no_check:
        _check(folder / FILE_NAME, owner)
    elif (fault := _fault_without_tls(answers.cas_url)) is not None:  # which the check would have told
        click.echo(fault, err=True)
    click.echo(_next_steps(answers, owner))


def _answers(given: dict[str, Any], folder: Path, usual_data: Path, *, asks: bool) -> Answers:
    """Given, asked for or the default; each is sound by itself."""
    if asks and None in (given[name] for name in _QUESTIONS):
        click.echo(_INTRODUCTION, err=True)

    def answer(name: str, default: Any) -> Any:
        return _answer(name, given[name], default, asks=asks)

    issuer = answer("issuer", None)
    cas_url = answer("cas_url", None)
    data = usual_data if given["database_url_file"] else answer("data", usual_data)
    return Answers(
        issuer=issuer,
        cas_url=cas_url,
        folder=folder,
        data=_whole(data),
        bind=answer("bind", default_bind(issuer)),
        proxy_hops=answer("proxy_hops", default_proxy_hops(issuer)),
        support_contact=given["contact"],
        cas_ca_file=_whole(given["cas_ca_file"]),
        database_url_file=_whole(given["database_url_file"]),
    )


def _answer(name: str, given: Any, default: Any, *, asks: bool) -> Any:
    option = f"--{name.replace('_', '-')}"
    if given is not None:
        return _sound(name)(given)
    if asks:
        told, label = _QUESTIONS[name]
        click.echo(told, err=True)
        answered = click.prompt(f"   {label}", default=default, value_proc=_sound(name), err=True)
        click.echo(err=True)
        return answered
    if default is None:
        raise click.UsageError(f"{option} is missing, and it has no default.")
    return _sound(name)(default)


def _sound(name: str) -> Callable[[Any], Any]:
    """Says what is wrong with an answer, which makes a question be asked again."""

    def checked(value: Any) -> Any:
        if name == "data":
            fault = data_folder_fault(Path(value))
        else:
            value = value.strip() if isinstance(value, str) else value
            fault = setting_fault(name, value)
        if fault:
            raise click.BadParameter(fault.removeprefix(f"PASSERELLE_{name.upper()}: "), param_hint=_hint(name))
        return value

    return checked


def _hint(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _whole(path: Path | str | None) -> Any:
    """From the root, so that the bridge may be started anywhere."""
    return None if path is None else Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100  keeps symlinks


def _fault_without_tls(cas_url: str) -> str | None:
    parts = urlsplit(cas_url)
    if parts.scheme != "http" or is_loopback(parts.hostname):
        return None
    return (
        f"Warning: {cas_url} is plain http: passwords, tickets and names can be read and changed on the way. "
        "Ask for its https address, and put that into the settings as cas_url."
    )


def _check(file: Path, owner: Owner) -> None:
    with run_as(owner):
        try:
            settings = load({**os.environ, CONFIG_NAME: str(file)})
        except ConfigurationError as error:
            click.echo(f"Written, but the environment has something against it. {error.description}", err=True)
            sys.exit(1)
        report = examined(settings, None, asks_public=False, settings_file=str(file))
    click.echo(f"\n{report_text(report, messages(report, languages_of(None)))}\n")


def _written(answers: Answers) -> str:
    rows = [
        (answers.folder / FILE_NAME, "the settings"),
        (answers.secret_key_file, "what encrypts the signing keys: keep a copy of it elsewhere"),
    ]
    if answers.database_url_file is None:
        rows.append((answers.data / DATABASE_NAME, "the database, with signing keys in it"))
    width = max(len(str(file)) for file, _ in rows)
    return "\n".join(["Made", *(f"  {str(file).ljust(width)}   {what}" for file, what in rows)])


def _next_steps(answers: Answers, owner: Owner) -> str:
    file, named = answers.folder / FILE_NAME, os.environ.get(CONFIG_NAME)
    program = f"sudo -u {owner.name} {_program()}" if owner.name else _program()
    steps = [
        (f"{program} check --message", "what to send to the CAS administrator"),
        (f"{program} clients add --help", "connect an application"),
        (
            "systemctl enable --now passerelle" if answers.folder == SYSTEM_FOLDER else f"{program} serve",
            f"listens on {answers.bind}",
        ),
        (f"{program} check", "when it runs: the public address as well"),
    ]
    if named or file not in default_config_files():
        export = f"export {CONFIG_NAME}={shlex.quote(str(file))}"
        steps.insert(0, (export, f"which names {named} now" if named else "or go to that folder"))
    width = max(len(command) for command, _ in steps)
    lines = ["Next", *(f"  {command.ljust(width)}   {what}" for command, what in steps)]
    if answers.issuer.startswith("https:"):
        lines.append(f"Your proxy ends TLS for {answers.issuer} and leads to {answers.bind}: docs/install.md has it.")
    return "\n".join(lines)


def _program() -> str:
    """As it can be typed in any folder."""
    called = Path(sys.argv[0])
    has_to_be_named = called.name == "passerelle" and not shutil.which("passerelle")
    return shlex.quote(str(called.absolute())) if has_to_be_named else "passerelle"
