"""An empty value is no value: whoever sends one, perhaps by a variable that a script did not set, is told so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from bridge.cli.clients import clients
from tests.support.bridge.client_command import REDIRECT, ClientCommand


def taking_text() -> Iterator[tuple[str, str]]:
    """Every option of `clients add` and `clients edit` that takes what somebody thinks up, and not one of a few."""
    for name in ("add", "edit"):
        for option in clients.commands[name].params:
            is_option = isinstance(option, click.Option) and not option.is_flag
            if is_option and isinstance(option.type, click.types.StringParamType):
                yield name, option.opts[0]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ClientCommand:
    monkeypatch.delenv("PASSERELLE_CONFIG", raising=False)
    command = ClientCommand(tmp_path / "bridge.sqlite3")
    command.adds("Wiki", "--id", "wiki", *REDIRECT, "--allowed-group", "staff", "--claim", "email")
    return command


def test_all_options_that_take_text_are_looked_at() -> None:
    found = set(taking_text())
    assert found >= {("edit", "--name"), ("edit", "--scope"), ("edit", "--allowed-group"), ("add", "--id")}
    assert len(found) > 20


@pytest.mark.parametrize("empty", ["", " ", "\t\n"], ids=["empty", "blank", "tab"])
@pytest.mark.parametrize(("name", "option"), sorted(taking_text()))
def test_an_empty_value_changes_nothing(command: ClientCommand, name: str, option: str, empty: str) -> None:
    before = command.does("list", "--json")
    words = ["edit", "wiki"] if name == "edit" else ["add", "Blog", *REDIRECT]
    told = command.refuses(*words, option, empty, status=2)
    (sentence,) = [line for line in told.splitlines() if line.startswith("Error: ")]
    assert option in sentence
    assert "empty" in sentence or option in ("--recipe", "--url")
    assert command.does("list", "--json") == before


def test_one_that_is_empty_beside_others_is_not_overlooked(command: ClientCommand) -> None:
    before = command.shows("wiki")
    command.refuses("edit", "wiki", "--redirect-uri", "https://wiki.example.org/x", "--redirect-uri", "", status=2)
    assert command.shows("wiki") == before


def test_it_is_said_how_a_field_is_emptied_where_that_makes_sense(command: ClientCommand) -> None:
    assert "--clear allowed-group" in command.refuses("edit", "wiki", "--allowed-group", "", status=2)
    assert "--clear" not in command.refuses("edit", "wiki", "--name", "", status=2)
    assert "--clear" not in command.refuses("add", "Blog", "--allowed-group", "", status=2)
    command.does("edit", "wiki", "--clear", "allowed-group")
    assert command.shows("wiki")["allowed_groups"] == []


@pytest.mark.parametrize("name", ["", "  "])
def test_a_new_client_has_a_name(command: ClientCommand, name: str) -> None:
    assert "people read it" in command.refuses("add", name, *REDIRECT, status=2)


@pytest.mark.parametrize("words", [["apply", ""], ["apply", "clients.toml", "--secrets-file", ""]])
def test_a_file_without_a_name_is_none(command: ClientCommand, words: list[str]) -> None:
    assert "empty" in command.refuses(*words, status=2)
