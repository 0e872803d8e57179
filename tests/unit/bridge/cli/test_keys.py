"""`passerelle keys`: output and errors."""

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
    """Run `passerelle keys …` on a new database."""
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


def test_no_keys_before_first_start(keys: Keys) -> None:
    assert listed(keys) == []
    assert "There are no keys yet; `passerelle serve` creates them." in keys("list").stdout


def test_keys_list_shows_state_and_time(keys: Keys) -> None:
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


def test_rotate_one_algorithm(keys: Keys) -> None:
    result = keys("rotate", "--algorithm", "ES256")
    assert result.exit_code == 0
    assert of(keys, "RS256", "next") == []
    (kid,) = of(keys, "ES256", "next")
    assert result.stdout.startswith(f"Added {kid} (ES256). It is published now and signs from ")
    assert keys("rotate", "--algorithm", "HS256").exit_code == 2


def test_second_pending_key_is_rejected(keys: Keys) -> None:
    keys("rotate", "--algorithm", "ES256")
    (pending,) = of(keys, "ES256", "next")
    result = keys("rotate", "--algorithm", "ES256")
    assert result.exit_code == 1
    assert f"The next ES256 key {pending} is already published" in result.stderr
    assert "--now" in result.stderr
    assert len(listed(keys)) == 3


def test_compromised_key_is_replaced_and_removed(keys: Keys) -> None:
    keys("rotate", "--algorithm", "ES256")
    (compromised,) = of(keys, "ES256", "signing")
    result = keys("rotate", "--algorithm", "ES256", "--now")
    assert result.exit_code == 0
    (kid,) = of(keys, "ES256", "signing")
    assert kid != compromised
    assert f"Added {kid} (ES256). It signs now" in result.stdout
    assert "Warning: clients with a cached JWKS reject logins" in result.stderr
    assert f"passerelle keys remove {compromised}" in result.stderr
    assert compromised in of(keys, "ES256", "retired")
    removed = keys("remove", compromised)
    assert removed.exit_code == 0
    assert removed.stdout.startswith(f"Removed {compromised} (ES256, retired).")
    assert compromised not in {key["kid"] for key in listed(keys)}


def test_signing_key_is_not_removed(keys: Keys) -> None:
    keys("rotate", "--algorithm", "ES256")
    (signing,) = of(keys, "ES256", "signing")
    result = keys("remove", signing)
    assert result.exit_code == 1
    assert f"The key {signing} signs ID tokens and cannot be removed" in result.stderr
    assert "passerelle keys rotate --algorithm ES256 --now" in result.stderr
    assert of(keys, "ES256", "signing") == [signing]


def test_pending_key_can_be_removed_and_replaced(keys: Keys) -> None:
    keys("rotate", "--algorithm", "ES256")
    (pending,) = of(keys, "ES256", "next")
    assert keys("remove", pending).exit_code == 0
    assert keys("rotate", "--algorithm", "ES256").exit_code == 0
    assert of(keys, "ES256", "next") != [pending]


def test_kid_may_begin_with_a_dash(keys: Keys) -> None:
    result = keys("remove", "-obwOtP9MjEl4R_IHeQDPXtDxbmVgCvPoGuWulr9eHM")
    assert result.exit_code == 1
    assert "No key -obwOtP9MjEl4R_IHeQDPXtDxbmVgCvPoGuWulr9eHM;" in result.stderr


def test_unknown_key_is_reported(keys: Keys) -> None:
    result = keys("remove", "nonsense")
    assert result.exit_code == 1
    assert "No key nonsense; `passerelle keys list` shows all keys." in result.stderr


@pytest.mark.parametrize("arguments", [["rotate"], ["rotate", "--now"], ["remove", "any"]])
def test_other_secret_key_is_reported(keys: Keys, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    keys("rotate", "--algorithm", "ES256")
    before = listed(keys)
    monkeypatch.setenv("PASSERELLE_SECRET_KEY", "another secret key, long enough")
    result = keys(*arguments)
    assert result.exit_code == 1
    assert "PASSERELLE_SECRET_KEY: the signing keys in the database were encrypted with another one" in result.stderr
    assert "another secret key, long" not in result.output
    assert listed(keys) == before


def test_key_output_has_no_secrets(keys: Keys) -> None:
    printed = (
        keys("rotate").output + keys("rotate", "--now").output + keys("list").output + keys("list", "--json").output
    )
    for word in ("BEGIN", '"d"', "gAAAA", "secret key"):
        assert word not in printed
