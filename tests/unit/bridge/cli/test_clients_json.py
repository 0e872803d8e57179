"""Every `passerelle clients` command that says something says it in fields as well."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bridge.oauth.clients import hash_secret
from tests.support.bridge.client_command import REDIRECT, ClientCommand


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ClientCommand:
    monkeypatch.delenv("PASSERELLE_CONFIG", raising=False)
    return ClientCommand(tmp_path / "bridge.sqlite3")


def fields(command: ClientCommand, *words: str, typed: str = "") -> dict[str, Any]:
    result = command.runs(*words, "--json", typed=typed)
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def test_a_client_from_its_first_day_to_its_last(command: ClientCommand) -> None:
    command.adds("Wiki", "--id", "wiki", *REDIRECT)
    assert fields(command, "edit", "wiki", "--consent")["consent"] is True
    assert "client_secret" in fields(command, "rotate-secret", "wiki", "--keep-old")
    assert fields(command, "rotate-secret", "wiki", "--drop-old") == {"client_id": "wiki", "secrets": 1}
    assert fields(command, "disable", "wiki") == {"client_id": "wiki", "state": "disabled", "grants_taken_back": 0}
    assert fields(command, "enable", "wiki") == {"client_id": "wiki", "state": "enabled"}
    assert fields(command, "remove", "wiki", "--yes") == {
        "client_id": "wiki",
        "state": "removed",
        "grants_taken_back": 0,
    }


def test_a_hash_with_and_without_the_secret_that_it_is_of(command: ClientCommand) -> None:
    made = fields(command, "hash", "--generate")
    assert made["client_secret_hash"] == f"sha256:{hash_secret(made['client_secret'])}"
    assert fields(command, "hash", typed="a secret\n") == {"client_secret_hash": f"sha256:{hash_secret('a secret')}"}


def test_a_fault_is_a_sentence_on_standard_error_all_the_same(command: ClientCommand) -> None:
    for words in (["edit", "nobody", "--consent"], ["disable", "nobody"], ["enable", "nobody"]):
        assert "There is no client 'nobody'" in command.refuses(*words, "--json")


def test_the_help_tells_the_exit_statuses(command: ClientCommand) -> None:
    told = " ".join(command.does("--help").split())
    assert "Exit status: 0 done, 1 a fault" in told
    assert "3 `apply --dry-run` found something to change" in told
