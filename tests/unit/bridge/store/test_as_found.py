"""Looking into a database without making or changing one."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

import pytest

from bridge.errors import ConfigurationError
from bridge.oauth.keys import KeyRing, check_secret_key
from bridge.settings.urls import check_database_url
from bridge.store import SqlStore
from bridge.store.database import open_engine

NOW = 1_800_000_000
SECRET = "7c1e0b7d6a4f4e2d8c9b1a2f3e4d5c6b"


def refusal(url: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        SqlStore.as_found(url)
    return caught.value.faults[0]


def run(file: Path, statement: str) -> None:
    connection = sqlite3.connect(file)
    connection.execute(statement)
    connection.commit()
    connection.close()


def made(folder: Path) -> Path:
    file = folder / "bridge.sqlite3"
    store = SqlStore(f"sqlite:///{file}")
    KeyRing(store, SECRET, lambda: NOW)
    store.close()
    return file


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert SqlStore.as_found(f"sqlite:///{tmp_path}/none.sqlite3") == "absent"
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_could_not_be_made_is_refused(tmp_path: Path) -> None:
    assert "must exist or be creatable" in refusal(f"sqlite:///{tmp_path}/nowhere/none.sqlite3")


def test_an_empty_file_stays_empty(tmp_path: Path) -> None:
    (tmp_path / "empty.sqlite3").touch()
    assert SqlStore.as_found(f"sqlite:///{tmp_path}/empty.sqlite3") == "empty"
    assert (tmp_path / "empty.sqlite3").stat().st_size == 0


def test_an_older_database_is_not_brought_up_to_date(tmp_path: Path) -> None:
    file = made(tmp_path)
    run(file, "UPDATE alembic_version SET version_num = '0001'")
    before = hashlib.sha256(file.read_bytes()).digest()
    assert SqlStore.as_found(f"sqlite:///{file}") == "older"
    assert hashlib.sha256(file.read_bytes()).digest() == before


def test_a_newer_database_and_one_of_others_are_refused_as_at_a_start(tmp_path: Path) -> None:
    file = made(tmp_path)
    run(file, "UPDATE alembic_version SET version_num = '9999'")
    assert "newer version" in refusal(f"sqlite:///{file}")
    run(tmp_path / "other.sqlite3", "CREATE TABLE sessions (x)")
    assert "no release of Passerelle made" in refusal(f"sqlite:///{tmp_path}/other.sqlite3")
    (tmp_path / "text").write_text("no database" * 100)
    assert "not a database" in refusal(f"sqlite:///{tmp_path}/text")


def test_the_store_that_is_found_can_be_read_and_its_keys_tried(tmp_path: Path) -> None:
    file = made(tmp_path)
    before = hashlib.sha256(file.read_bytes()).digest()
    store = SqlStore.as_found(f"sqlite:///{file}")
    assert isinstance(store, SqlStore)
    keys = store.keys.all()
    store.close()
    assert len(keys) == 2
    check_secret_key(keys, SECRET)
    with pytest.raises(ConfigurationError, match="encrypted with another one"):
        check_secret_key(keys, SECRET[::-1])
    assert hashlib.sha256(file.read_bytes()).digest() == before


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:pass-s3cret@127.0.0.1:notaport/db",
        "postgresql://u:pass-s3cret@127.0.0.1:99999/db",
        "postgresql://u:pass@word-s3cret@host/db",
        "postgresql://u:pass-s3cret@[::1/db",
        "mysql://u:s3cret@host/db",
        "sqlite://",
    ],
)
def test_a_database_url_that_cannot_be_read_is_a_fault_of_the_settings_that_quotes_nothing(url: str) -> None:
    with pytest.raises(ValueError, match=r"must be|port has to be") as caught:
        check_database_url(url)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://bridge:p%40ss%2F@db.example.org/bridge",
        "postgresql+psycopg://bridge@[::1]:5432/bridge?sslmode=require",
        "postgresql:///bridge?host=/run/postgresql",
        "postgresql://db/bridge",
        "postgresql://u:a/b#c?d:e@db:5432/bridge",
        "sqlite:////var/lib/bridge.sqlite3",
    ],
)
def test_a_database_url_that_the_driver_reads_is_accepted(url: str) -> None:
    check_database_url(url)
    open_engine(url).dispose()


def test_what_sqlalchemy_cannot_read_is_told_without_its_words() -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_engine("postgresql://u:s3cret@h:notaport/db")
    assert "s3cret" not in caught.value.faults[0]
