"""Writes docs/cli.md from the commands themselves: `make docs`. A test compares the two.

`passerelle hub` only hands on to the same command in the hub's container, so what is told of it is taken from there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from textwrap import dedent

import click

from bridge.cli import main
from hub.administration.__main__ import hub

PAGE = Path(__file__).parents[1] / "cli.md"
INTRODUCTION = """\
# The command line

Written by `make docs` from the commands; change their help texts in `bridge/cli` and `hub/administration` instead.

`passerelle --help` (or `-h`) lists the commands, `passerelle --version` says which version this is, and every command
below has `--help`. Where settings come from, and all of their names: [settings](settings.md). In the bundle every
command but `hub` is typed as `docker compose exec bridge passerelle …`. What `clients add` is not told is as in
[the table of a client's settings](settings.md#clients).

| exit status | means |
|---|---|
| 0 | done |
| 1 | not done, and one sentence on standard error says why |
| 2 | wrong arguments; nothing was done |

Where a command means more by one of these, its text says so. What was asked for goes to standard output, everything
else to standard error.
"""
ON_THE_MACHINE = """\
Typed on the machine itself it finds the deployment's folder and calls the same in the hub's container, which is what is
told here; there `upgrade` also builds and starts, takes `--pull` (newer base images) and sees to `--config` by itself.
"""


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION, *_text(main)]
    for name, command in commands(main, "passerelle"):
        parts += [f"{'#' * len(name.split())} `{name}`\n", *_described(name, command)]
    return "\n".join(parts)


def commands(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    """Every command below a group by its whole name, as `--help` orders them, and a group before what is in it."""
    for word in group.list_commands(click.Context(group)):
        command = hub if group.commands[word] is main.commands["hub"] else group.commands[word]
        yield f"{name} {word}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {word}")


def _described(name: str, command: click.Command) -> Iterator[str]:
    yield from _text(command)
    if command is hub:
        yield ON_THE_MACHINE
    if isinstance(command, click.Group):
        return
    ctx = click.Context(command, info_name=name)
    yield f"```text\n{' '.join([name, *command.collect_usage_pieces(ctx)])}\n```\n"
    if rows := [_row(option, ctx) for option in command.params if isinstance(option, click.Option)]:
        yield "\n".join(["| option | default | meaning |", "|---|---|---|", *rows, ""])


def _text(command: click.Command) -> Iterator[str]:
    """Sentences on one line, and lines that a help text indents as a block."""
    for paragraph in re.split(r"\n\s*\n", command.help or ""):
        if not paragraph.startswith("\b"):
            yield f"{_plain(paragraph)}\n"
            continue
        lines = paragraph.removeprefix("\b\n").splitlines()
        language = "sh" if lines[0] == "Examples:" else "text"
        for indented, some in groupby(lines, lambda line: line.startswith(" ")):
            block = "\n".join(some)
            if language == "sh":  # what stands beside a command is no part of it
                block = re.sub(r"(?<=\S)( {2,})(?=\S)", r"\1# ", block)
            yield f"```{language}\n{dedent(block)}\n```\n" if indented else f"{_plain(block)}\n"


def _row(option: click.Option, ctx: click.Context) -> str:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    if not option.is_flag:
        names += f" `{option.make_metavar(ctx)}`".replace("|", "\\|")
    variable = option.envvar if isinstance(option.envvar, str) else ""
    told = [_plain(option.help or "", in_table=True), f"Or the variable `{variable}`." * bool(variable)]
    told.append("May be repeated." * (option.multiple and "repeat" not in told[0]))
    return f"| {names} | {_default(option)} | {' '.join(filter(None, told)) or '-'} |"


def _default(option: click.Option) -> str:
    if option.required:
        return "required"
    if isinstance(option.show_default, str):
        return option.show_default
    value = option.to_info_dict()["default"]
    return "-" if option.is_flag or callable(value) or value in (None, "", (), []) else f"`{value}`"


def _plain(text: str, *, in_table: bool = False) -> str:
    """On one line, and nothing of it is markup but what is quoted as code."""
    pieces = re.split(r"(`[^`]*`)", " ".join(text.split()))
    plain = "".join(piece if piece.startswith("`") else re.sub(r"([*<\[\\])", r"\\\1", piece) for piece in pieces)
    return plain.replace("|", "\\|") if in_table else plain


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
