"""Consistency of the generated pages with the code."""

import re
from pathlib import Path

import click

from bridge.cli import main
from docs._generate import cli as generate_cli
from docs._generate import settings as generate_settings


def test_settings_page_matches_docstrings() -> None:
    assert generate_settings.PAGE.read_text(encoding="utf-8") == generate_settings.page(), "run `make docs`"


def test_every_setting_is_documented() -> None:
    rows = [line for line in generate_settings.page().splitlines() if line.startswith("| `")]

    assert len(rows) > 20
    assert [row for row in rows if row.rstrip().endswith("| |")] == []


def test_command_page_matches_commands() -> None:
    assert generate_cli.PAGE.read_text(encoding="utf-8") == generate_cli.page(), "run `make docs`"


def test_command_page_lists_every_command_and_option() -> None:
    page = generate_cli.page()
    commands = dict(generate_cli.commands(main, "passerelle"))

    assert len(commands) > 25
    for name, command in commands.items():
        (section,) = [part for part in page.split("\n#") if part.lstrip("# ").startswith(f"`{name}`\n")]
        for option in (param for param in command.params if isinstance(param, click.Option)):
            assert all(f"| `{each}`" in section or f", `{each}`" in section for each in option.opts), (
                name,
                option.name,
            )


def test_every_command_and_option_has_help() -> None:
    commands = dict(generate_cli.commands(main, "passerelle"))
    options = [(name, param) for name, command in commands.items() for param in command.params]

    assert [name for name, command in commands.items() if not command.help] == []
    assert [(name, param.name) for name, param in options if isinstance(param, click.Option) and not param.help] == []


def test_dev_and_docs_locks_agree() -> None:
    """`make init` installs both locks together, so shared packages must have the same version and hashes."""
    dev, docs = (_locked(name) for name in ("dev", "docs"))

    assert {"sphinx", "furo", "myst-parser"} <= set(docs)
    assert {name: docs[name] for name in docs if dev.get(name, docs[name]) != docs[name]} == {}


def _locked(name: str) -> dict[str, str]:
    text = (Path(__file__).parents[3] / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    entries: dict[str, str] = {}
    for package, rest in re.findall(r"^([\w.-]+)(==.*(?:\n    .*)*)", text, flags=re.MULTILINE):
        entries[package] = entries.get(package, "") + rest
    return entries
