"""Findings about settings, keys, database and file modes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.check.installation import (
    DatabaseState,
    evaluate_clients,
    evaluate_connections,
    evaluate_database,
    evaluate_file_modes,
    evaluate_secret_key,
)
from bridge.settings.sources import files_with_secrets


@pytest.mark.parametrize(
    ("key", "level"),
    [
        ("7c1e0b7d6a4f4e2d8c9b1a2f3e4d5c6b7a8f9e0d1c2b3a4f5e6d7c8b9a0f1e2d", "ok"),
        ("k7Qm2xV9pL4sT8wZ", "warning"),
        ("0f" * 32, "FAULT"),
        ("replace-me-with-64-random-characters", "FAULT"),
        ("a" * 64, "FAULT"),
    ],
)
def test_weak_secret_key_is_found_and_not_shown(key: str, level: str) -> None:
    found = evaluate_secret_key(key)
    assert found.level == level
    assert key not in " ".join((found.seen, found.means, found.do))


def test_clients_and_database_states() -> None:
    assert evaluate_clients([]).level == "warning"
    assert evaluate_database("read", "sqlite").level == "ok"
    states: tuple[DatabaseState, ...] = ("absent", "empty", "older")
    assert [evaluate_database(state, "sqlite").level for state in states] == ["note"] * 3
    failed = evaluate_database(
        "failed", "postgresql", "PASSERELLE_DATABASE_URL: cannot use x: refused; start it; or not"
    )
    assert (failed.seen, failed.do) == ("cannot use x: refused; start it.", "Or not.")
    assert "PASSERELLE_DATABASE_URL" in evaluate_database("failed", "postgresql", "It timed out.").do


def test_few_connections_of_postgres_are_warning() -> None:
    assert evaluate_connections(97, 4).level == "ok"
    found = evaluate_connections(97, 5)
    assert (found.level, found.do.partition(",")[0]) == ("warning", "Raise max_connections of the server by 8")


def test_secret_key_that_decrypts_nothing_is_fault() -> None:
    found = evaluate_secret_key("7c1e0b7d6a4f4e2d8c9b1a2f3e4d5c6b", "PASSERELLE_SECRET_KEY: another; set it again")
    assert (found.level, found.seen, found.do) == ("FAULT", "PASSERELLE_SECRET_KEY: another.", "Set it again.")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a directory that other users can enter, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        yield folder


@pytest.mark.parametrize(
    ("mode", "found"), [(0o600, False), (0o640, False), (0o644, True), (0o604, True), (0o622, False)]
)
def test_world_readable_key_file_is_warning(folder: Path, mode: int, found: bool) -> None:
    key = folder / "key"
    key.touch()
    key.chmod(mode)
    findings = evaluate_file_modes([key], "postgresql://db/x")
    assert bool(findings) is found
    assert all(one.level == "warning" and f"chmod go= {key}" in one.do for one in findings)


@pytest.mark.parametrize("scheme", ["sqlite", "sqlite+pysqlite"])
def test_world_readable_database_is_warning(folder: Path, scheme: str) -> None:
    database = folder / "bridge.sqlite3"
    database.touch()
    database.chmod(0o644)
    (finding,) = evaluate_file_modes([], f"{scheme}:///{database}?timeout=3")
    assert str(database) in finding.seen
    folder.chmod(0o700)
    assert evaluate_file_modes([], f"{scheme}:///{database}") == []


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:////no/such/file", "postgresql://u:p@db/x"])
def test_missing_files_have_no_finding(url: str, folder: Path) -> None:
    assert evaluate_file_modes([folder / "absent"], url) == []


def test_secret_files_are_those_in_settings(folder: Path) -> None:
    file = folder / "passerelle.toml"
    file.write_text('secret_key_file = "/a/key"\ndatabase_url_file = "/a/url"\n')
    assert set(files_with_secrets({}, [file])) == {Path("/a/key"), Path("/a/url")}
    given = {"PASSERELLE_SECRET_KEY_FILE": "/b/key", "PASSERELLE_METRICS_TOKEN": "x" * 40}
    assert set(files_with_secrets(given, [file])) == {Path("/b/key"), Path("/a/url")}
    file.write_text('secret_key = "0123456789abcdef"\n')
    assert files_with_secrets({}, [file]) == (file,)
    assert files_with_secrets({}, []) == ()
