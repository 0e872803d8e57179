"""`passerelle check` says which files of secrets everybody can read."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.check.open_files import judge_open_files
from bridge.settings.sources import files_with_secrets


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that others may look into; the usual ones of pytest are closed."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        yield folder


@pytest.mark.parametrize(
    ("mode", "found"), [(0o600, False), (0o640, False), (0o644, True), (0o604, True), (0o622, False)]
)
def test_a_secret_key_file_that_all_can_read_is_told(folder: Path, mode: int, found: bool) -> None:
    key = folder / "key"
    key.touch()
    key.chmod(mode)
    told = judge_open_files([key], "postgresql://db/x")
    assert bool(told) is found
    assert all(one.level == "warning" and f"chmod go= {key}" in one.do for one in told)


@pytest.mark.parametrize("scheme", ["sqlite", "sqlite+pysqlite"])
def test_a_database_file_that_all_can_read_is_told(folder: Path, scheme: str) -> None:
    database = folder / "bridge.sqlite3"
    database.touch()
    database.chmod(0o644)
    (told,) = judge_open_files([], f"{scheme}:///{database}?timeout=3")
    assert str(database) in told.seen
    folder.chmod(0o700)
    assert judge_open_files([], f"{scheme}:///{database}") == []


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:////no/such/file", "postgresql://u:p@db/x"])
def test_what_is_no_file_here_is_left_alone(url: str, folder: Path) -> None:
    assert judge_open_files([folder / "absent"], url) == []


def test_the_files_that_hold_secrets_are_those_that_the_settings_name(folder: Path) -> None:
    file = folder / "passerelle.toml"
    file.write_text('secret_key_file = "/a/key"\ndatabase_url_file = "/a/url"\n')
    assert set(files_with_secrets({}, [file])) == {Path("/a/key"), Path("/a/url")}
    given = {"PASSERELLE_SECRET_KEY_FILE": "/b/key", "PASSERELLE_METRICS_TOKEN": "x" * 40}
    assert set(files_with_secrets(given, [file])) == {Path("/b/key"), Path("/a/url")}
    file.write_text('secret_key = "0123456789abcdef"\n')
    assert files_with_secrets({}, [file]) == (file,)
    assert files_with_secrets({}, []) == ()
