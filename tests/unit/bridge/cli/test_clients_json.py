"""JSON output of the `passerelle clients` commands."""

from __future__ import annotations

import json
from typing import Any

from bridge.oauth.clients import hash_secret
from tests.support.bridge.client_command import REDIRECT, ClientCommand, command

__all__ = ["command"]  # a fixture


def fields(command: ClientCommand, *words: str, typed: str = "") -> dict[str, Any]:
    result = command.run(*words, "--json", typed=typed)
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def test_json_output_of_every_client_command(command: ClientCommand) -> None:
    command.add("Wiki", "--id", "wiki", *REDIRECT)
    assert fields(command, "edit", "wiki", "--consent")["consent"] is True
    assert "client_secret" in fields(command, "rotate-secret", "wiki", "--keep-old")
    assert fields(command, "rotate-secret", "wiki", "--drop-old") == {"client_id": "wiki", "secrets": 1}
    assert fields(command, "disable", "wiki") == {"client_id": "wiki", "state": "disabled", "revoked_grants": 0}
    assert fields(command, "enable", "wiki") == {"client_id": "wiki", "state": "enabled"}
    assert fields(command, "remove", "wiki", "--yes") == {
        "client_id": "wiki",
        "state": "removed",
        "revoked_grants": 0,
    }


def test_json_output_of_hash(command: ClientCommand) -> None:
    made = fields(command, "hash", "--generate")
    assert made["client_secret_hash"] == f"sha256:{hash_secret(made['client_secret'])}"
    assert fields(command, "hash", typed="a secret\n") == {"client_secret_hash": f"sha256:{hash_secret('a secret')}"}


def test_errors_go_to_standard_error_with_json(command: ClientCommand) -> None:
    for words in (["edit", "missing", "--consent"], ["disable", "missing"], ["enable", "missing"]):
        assert "There is no client 'missing'" in command.error(*words, "--json")


def test_help_lists_exit_statuses(command: ClientCommand) -> None:
    text = " ".join(command.output("--help").split())
    assert "Exit status: 0 success, 1 error" in text
    assert "3 `apply --dry-run` found changes" in text
