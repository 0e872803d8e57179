"""Empty option values, for example from an unset variable of a script, are rejected."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from bridge.cli.clients import clients
from tests.support.bridge.client_command import REDIRECT, ClientCommand


def text_options() -> Iterator[tuple[str, str]]:
    """Yield every option of `clients add` and `clients edit` that takes free text."""
    for name in ("add", "edit"):
        for option in clients.commands[name].params:
            takes_text = isinstance(option, click.Option) and not option.is_flag
            if takes_text and isinstance(option.type, click.types.StringParamType):
                yield name, option.opts[0]


@pytest.fixture
def command(tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch) -> ClientCommand:
    monkeypatch.delenv("PASSERELLE_CONFIG", raising=False)
    command = ClientCommand(Path(shutil.copy(sqlite_template, tmp_path / "bridge.sqlite3")))
    command.add("Wiki", "--id", "wiki", *REDIRECT, "--allowed-group", "staff", "--claim", "email")
    return command


def test_every_text_option_is_covered() -> None:
    found = set(text_options())
    assert found >= {("edit", "--name"), ("edit", "--scope"), ("edit", "--allowed-group"), ("add", "--id")}
    assert len(found) > 20


@pytest.mark.parametrize(
    ("name", "option", "empty"),
    [*((*option, "") for option in sorted(text_options())), ("edit", "--name", " "), ("edit", "--scope", "\t\n")],
)
def test_empty_value_changes_nothing(command: ClientCommand, name: str, option: str, empty: str) -> None:
    before = command.output("list", "--json")
    words = ["edit", "wiki"] if name == "edit" else ["add", "Blog", *REDIRECT]
    error = command.error(*words, option, empty, status=2)
    (sentence,) = [line for line in error.splitlines() if line.startswith("Error: ")]
    assert option in sentence
    assert "empty" in sentence or option in ("--recipe", "--url")
    assert command.output("list", "--json") == before


def test_empty_value_among_others_is_rejected(command: ClientCommand) -> None:
    before = command.show("wiki")
    command.error("edit", "wiki", "--redirect-uri", "https://wiki.example.org/x", "--redirect-uri", "", status=2)
    assert command.show("wiki") == before


def test_empty_value_suggests_clear_where_possible(command: ClientCommand) -> None:
    assert "--clear allowed-group" in command.error("edit", "wiki", "--allowed-group", "", status=2)
    assert "--clear" not in command.error("edit", "wiki", "--name", "", status=2)
    assert "--clear" not in command.error("add", "Blog", "--allowed-group", "", status=2)
    command.output("edit", "wiki", "--clear", "allowed-group")
    assert command.show("wiki")["allowed_groups"] == []


@pytest.mark.parametrize("name", ["", "  "])
def test_new_client_needs_a_name(command: ClientCommand, name: str) -> None:
    assert "The value is empty" in command.error("add", name, *REDIRECT, status=2)


@pytest.mark.parametrize("words", [["apply", ""], ["apply", "clients.toml", "--secrets-file", ""]])
def test_empty_file_name_is_rejected(command: ClientCommand, words: list[str]) -> None:
    assert "empty" in command.error(*words, status=2)
