"""Known commands: the `passerelle` tree, the services of compose.yml, the targets of the Makefile.

`command_fault` validates a documented command without running it. Placeholders (`…`, `NAME`) match any word; words
after `…` are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path, PurePath

import click
import yaml

from bridge.cli import main
from hub.administration.__main__ import hub

ROOT = Path(__file__).parents[3]
OPEN_END = {"…", "..."}
PLACEHOLDER = re.compile(r"[A-Z][A-Z_-]*|\[.*|<.*|.*…")
# Options with a value, of docker compose and its documented subcommands.
GLOBAL_VALUES = {"-p", "--project-name", "--profile", "-f", "--file", "--env-file", "--project-directory", "--progress"}
VALUES = {
    "run": {"-e", "--env", "-v", "--volume", "-u", "--user", "-w", "--workdir", "--entrypoint", "--name", "-p"},
    "exec": {"-e", "--env", "-u", "--user", "-w", "--workdir", "--index"},
    "up": {"-t", "--timeout", "--wait-timeout", "--scale", "--pull"},
    "down": {"-t", "--timeout", "--rmi"},
    "logs": {"-n", "--tail", "--since", "--until"},
    "restart": {"-t", "--timeout"},
    "stop": {"-t", "--timeout"},
    "start": {},
    "build": {"--build-arg"},
    "pull": {},
    "ps": {"--format"},
    "config": {"--format"},
}


class NotThereError(Exception):
    """A command names something that does not exist."""


def command_fault(words: Sequence[str], page_services: Iterable[str] = ()) -> str | None:
    """Return what is wrong with a command, or None; the page may define services of its own."""
    try:
        check(words, {*services(), *page_services})
    except (NotThereError, click.UsageError) as error:
        return error.format_message() if isinstance(error, click.UsageError) else str(error)
    return None


def check(words: Sequence[str], known: set[str]) -> None:
    """Validate any command; other programs are ignored."""
    name = PurePath(words[0]).name
    if name == "passerelle":
        check_passerelle(words[1:])
    elif name == "make":
        check_make(words[1:])
    elif name.startswith("python") and words[1:2] == ["-m"]:
        check_module(words[2])
    elif list(words[:2]) == ["docker", "compose"]:
        check_compose(words[2:], known)
    elif name in {"docker", "podman"} and words[1] in {"run", "exec"} and "passerelle" in words:
        check_passerelle(words[len(words) - list(reversed(words)).index("passerelle") :])


def check_passerelle(words: Sequence[str]) -> None:
    """Validate a subcommand, its options and arguments with click's own parser."""
    command: click.Command = main
    ctx = click.Context(main, info_name="passerelle", **main.context_settings)
    rest = list(words)
    while isinstance(command, click.Group):
        while rest and rest[0] in {*command.get_help_option_names(ctx), "--version"}:
            rest.pop(0)
        if not rest or is_open(rest[0]):
            return
        name = rest.pop(0)
        found = hub if command is main and name == "hub" else command.commands.get(name)
        if found is None:
            raise NotThereError(f"{ctx.command_path} has no {name}")
        ctx = click.Context(found, info_name=name, parent=ctx, **found.context_settings)
        command = found
    if ctx.command_path == "passerelle hub upgrade":  # handled on the host by bridge/cli/hub.py
        rest = [word for word in rest if word != "--pull"]
    _check_arguments(command, ctx, rest)


def _check_arguments(command: click.Command, ctx: click.Context, words: Sequence[str]) -> None:
    ends = next((number for number, word in enumerate(words) if word in OPEN_END), None)
    told, left, _ = command.make_parser(ctx).parse_args([word for word in words[:ends] if not word.startswith("[")])
    if left:
        raise NotThereError(f"{ctx.command_path} does not take {' '.join(left)}")
    for param in command.params:
        values = told.get(param.name or "")
        given = isinstance(values, str) or (isinstance(values, list | tuple) and bool(values))
        if param.required and not given and ends is None and not set(words) & set(ctx.help_option_names):
            raise NotThereError(f"{ctx.command_path} wants {param.make_metavar(ctx)}")
        # Only values that are valid independently of the machine.
        if isinstance(param.type, click.Choice | click.IntRange | type(click.INT)):
            for value in values if isinstance(values, list | tuple) else [values]:
                if isinstance(value, str) and not is_open(value):
                    param.type.convert(value, param, ctx)


def check_compose(words: Sequence[str], known: set[str]) -> None:
    """Validate profile, file, services, and a command inside a service."""
    rest = list(words)
    while rest and rest[0].startswith("-"):
        option, _, value = rest.pop(0).partition("=")
        if option in GLOBAL_VALUES and not value:
            value = rest.pop(0)
        if option == "--profile" and value not in profiles():
            raise NotThereError(f"compose.yml has no profile {value}")
        if option in {"-f", "--file"} and not (ROOT / value).is_file():
            raise NotThereError(f"there is no {value}")
    if rest and not is_open(rest[0]):
        _check_services(rest[0], rest[1:], known)


def _check_services(name: str, words: Sequence[str], known: set[str]) -> None:
    if name not in VALUES:
        raise NotThereError(
            f"docker compose {name}: add it to {Path(__file__).name}, with its options that take a word"
        )
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in VALUES[name]:
            rest.pop(0)
        elif not word.startswith("-") and not is_open(word):
            if word not in known:
                raise NotThereError(f"compose.yml has no service {word}")
            if name in {"run", "exec"}:
                if rest:
                    check(rest, known)
                return


def check_make(words: Sequence[str]) -> None:
    """Validate the targets."""
    for word in words:
        if "=" not in word and not word.startswith("-") and word not in OPEN_END | targets():
            raise NotThereError(f"the Makefile has no target {word}")


def check_module(name: str) -> None:
    """Validate a module of this project; others are ignored."""
    path = ROOT / name.replace(".", "/")
    ours = (ROOT / name.partition(".")[0]).is_dir()
    if ours and not path.with_suffix(".py").is_file() and not (path / "__main__.py").is_file():
        raise NotThereError(f"there is no module {name}")


def is_open(word: str) -> bool:
    """Return whether a word is a placeholder."""
    return word in OPEN_END or bool(PLACEHOLDER.fullmatch(word))


@cache
def services() -> frozenset[str]:
    """Return the services of all compose files."""
    return frozenset(name for path in ROOT.glob("compose*.yml") for name in services_in(path.read_text("utf-8")))


def services_in(text: str) -> set[str]:
    """Return the services of a compose file; none for other YAML."""
    with suppress(yaml.YAMLError):
        document = yaml.safe_load(text)
        if isinstance(document, dict) and isinstance(document.get("services"), dict):
            return set(document["services"])
    return set()


@cache
def profiles() -> frozenset[str]:
    """Return the profiles of compose.yml."""
    described = yaml.safe_load((ROOT / "compose.yml").read_text("utf-8"))["services"].values()
    return frozenset(profile for service in described for profile in service.get("profiles", ()))


@cache
def targets() -> frozenset[str]:
    """Return the targets of the Makefile."""
    (names,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text("utf-8"), flags=re.MULTILINE)
    return frozenset(names.split())
