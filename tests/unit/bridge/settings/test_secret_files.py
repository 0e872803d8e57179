"""Secrets in files, as containers mount them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.bridge.settings.test_settings import HUB, faults, loaded


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("  the key in the file, 32 characters \n")
    return path


def test_secret_is_read_from_file(secret: Path) -> None:
    settings = loaded(secret_key="", secret_key_file=str(secret), database_url_file="")
    assert settings.secret_key.get_secret_value() == "the key in the file, 32 characters"


def test_secret_file_overrides_toml(secret: Path, tmp_path: Path) -> None:
    toml = tmp_path / "passerelle.toml"
    toml.write_text('secret_key = "the key in the TOML file, longer"\n')
    settings = loaded(secret_key="", secret_key_file=str(secret), config=str(toml))
    assert settings.secret_key.get_secret_value().startswith("the key in the file")


def test_secret_and_secret_file_conflict(secret: Path) -> None:
    said = faults(secret_key_file=str(secret))
    assert "PASSERELLE_SECRET_KEY_FILE: PASSERELLE_SECRET_KEY is set as well: keep one" in said


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "No such file or directory"), (b" \n", "is empty"), (b"\xff", "it is not UTF-8 text")],
)
def test_unusable_secret_file_is_reported(tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    said = faults(secret_key="", secret_key_file=str(path))
    assert any(fault.startswith("PASSERELLE_SECRET_KEY_FILE: ") and says in fault for fault in said)
    assert str(path) in said[0]


def test_client_secret_is_read_from_file(secret: Path) -> None:
    entry = {**HUB, "client_secret": None, "client_secret_file": str(secret)}
    (client,) = loaded(clients=json.dumps([entry])).clients
    assert client.client_secret is not None
    assert client.client_secret.get_secret_value() == "the key in the file, 32 characters"


def test_missing_client_secret_file_names_the_client(tmp_path: Path) -> None:
    entry = {**HUB, "client_secret": None, "client_secret_file": str(tmp_path / "missing")}
    (fault,) = faults(clients=json.dumps([entry]))
    assert "hub" in fault
    assert f"cannot read {tmp_path}/missing: No such file or directory" in fault


def test_secret_file_fault_is_listed_with_others(tmp_path: Path) -> None:
    entry = {**HUB, "client_secret": None, "client_secret_file": str(tmp_path / "missing")}
    said = faults(clients=json.dumps([entry]), issuer="")
    assert any("missing" in fault for fault in said)
    assert "PASSERELLE_ISSUER: is required" in said
