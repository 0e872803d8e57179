"""`passerelle keys`: what it prints, and what it refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bridge.cli import main

Keys = Callable[..., Result]


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keys:
    """Runs `passerelle keys …` on a database of its own."""
    monkeypatch.setenv("PASSERELLE_ISSUER", "https://auth.example.org")
    monkeypatch.setenv("PASSERELLE_CAS_URL", "https://sso.example.org/cas")
    monkeypatch.setenv("PASSERELLE_SECRET_KEY", "a secret key of the tests, long enough")
    monkeypatch.setenv("PASSERELLE_DATABASE_URL", f"sqlite:///{tmp_path}/bridge.sqlite3")
    return lambda *arguments: CliRunner().invoke(main, ["keys", *arguments])


def listed(keys: Keys) -> list[dict[str, Any]]:
    result = keys("list", "--json")
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def of(keys: Keys, algorithm: str, state: str) -> list[str]:
    return [key["kid"] for key in listed(keys) if (key["algorithm"], key["state"]) == (algorithm, state)]


def test_before_the_first_start_there_are_no_keys(keys: Keys) -> None:
    assert listed(keys) == []
    assert "There are no keys yet: `passerelle serve` makes them." in keys("list").stdout


def test_the_keys_are_listed_with_state_and_moment(keys: Keys) -> None:
    assert keys("rotate").exit_code == 0
    rows = listed(keys)
    assert [(key["algorithm"], key["state"]) for key in rows] == [
        *(("RS256", "next"), ("RS256", "signing"), ("ES256", "next"), ("ES256", "signing"))
    ]
    lines = keys("list").stdout.splitlines()
    for key, line in zip(rows, lines, strict=True):
        word = "from" if key["state"] == "next" else "since"
        assert re.split(r"\s+", line) == [key["kid"], key["algorithm"], key["state"], word, key["since"]]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", key["since"])


def test_of_one_algorithm_alone(keys: Keys) -> None:
    result = keys("rotate", "--algorithm", "ES256")
    assert result.exit_code == 0
    assert of(keys, "RS256", "next") == []
    (kid,) = of(keys, "ES256", "next")
    assert result.stdout.startswith(f"Added {kid} (ES256). It is published now and signs from ")
    assert keys("rotate", "--algorithm", "HS256").exit_code == 2


def test_a_second_key_does_not_queue_behind_a_waiting_one(keys: Keys) -> None:
    keys("rotate", "--algorithm", "ES256")
    (waiting,) = of(keys, "ES256", "next")
    result = keys("rotate", "--algorithm", "ES256")
    assert result.exit_code == 1
    assert f"The next ES256 key {waiting} is already published" in result.stderr
    assert "--now" in result.stderr
    assert len(listed(keys)) == 3


def test_a_leaked_key_is_replaced_at_once_and_then_removed(keys: Keys) -> None:
    keys("rotate", "--algorithm", "ES256")
    (leaked,) = of(keys, "ES256", "signing")
    result = keys("rotate", "--algorithm", "ES256", "--now")
    assert result.exit_code == 0
    (kid,) = of(keys, "ES256", "signing")
    assert kid != leaked
    assert f"Added {kid} (ES256). It signs from now on" in result.stdout
    assert "Warning: an application whose copy of the JWKS is older refuses sign-ins" in result.stderr
    assert f"passerelle keys remove {leaked}" in result.stderr
    assert leaked in of(keys, "ES256", "retired")
    removed = keys("remove", leaked)
    assert removed.exit_code == 0
    assert removed.stdout.startswith(f"Removed {leaked} (ES256, retired).")
    assert leaked not in {key["kid"] for key in listed(keys)}


def test_the_key_that_signs_is_not_removed(keys: Keys) -> None:
    keys("rotate", "--algorithm", "ES256")
    (signing,) = of(keys, "ES256", "signing")
    result = keys("remove", signing)
    assert result.exit_code == 1
    assert f"The key {signing} signs ID tokens and cannot be removed" in result.stderr
    assert "passerelle keys rotate --algorithm ES256 --now" in result.stderr
    assert of(keys, "ES256", "signing") == [signing]


def test_a_waiting_key_can_be_removed_and_replaced(keys: Keys) -> None:
    keys("rotate", "--algorithm", "ES256")
    (waiting,) = of(keys, "ES256", "next")
    assert keys("remove", waiting).exit_code == 0
    assert keys("rotate", "--algorithm", "ES256").exit_code == 0
    assert of(keys, "ES256", "next") != [waiting]


def test_a_name_that_begins_with_a_dash_is_taken_for_a_key(keys: Keys) -> None:
    result = keys("remove", "-obwOtP9MjEl4R_IHeQDPXtDxbmVgCvPoGuWulr9eHM")
    assert result.exit_code == 1
    assert "There is no key -obwOtP9MjEl4R_IHeQDPXtDxbmVgCvPoGuWulr9eHM." in result.stderr


def test_an_unknown_key_is_named(keys: Keys) -> None:
    result = keys("remove", "nonsense")
    assert result.exit_code == 1
    assert "There is no key nonsense. `passerelle keys list` shows all." in result.stderr


@pytest.mark.parametrize("arguments", [["rotate"], ["rotate", "--now"], ["remove", "any"]])
def test_another_secret_key_is_told_in_a_sentence(
    keys: Keys, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    keys("rotate", "--algorithm", "ES256")
    before = listed(keys)
    monkeypatch.setenv("PASSERELLE_SECRET_KEY", "another secret key, long enough")
    result = keys(*arguments)
    assert result.exit_code == 1
    assert "PASSERELLE_SECRET_KEY: the signing keys in the database were encrypted with another one" in result.stderr
    assert "another secret key, long" not in result.output
    assert listed(keys) == before


def test_what_is_printed_is_no_secret(keys: Keys) -> None:
    printed = (
        keys("rotate").output + keys("rotate", "--now").output + keys("list").output + keys("list", "--json").output
    )
    for word in ("BEGIN", '"d"', "gAAAA", "secret key"):
        assert word not in printed
