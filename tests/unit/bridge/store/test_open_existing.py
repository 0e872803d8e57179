"""Opening a database without creating or migrating it, and database URLs."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

import pytest
from pydantic import SecretStr

from bridge.errors import ConfigurationError
from bridge.oauth.keys import KeyRing, check_secret_key
from bridge.settings.urls import check_database_url
from bridge.store import Store
from bridge.store.database import open_engine

NOW = 1_800_000_000
SECRET = "7c1e0b7d6a4f4e2d8c9b1a2f3e4d5c6b"


def refusal(url: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        Store.open_existing(url)
    return caught.value.faults[0]


def run(file: Path, statement: str) -> None:
    connection = sqlite3.connect(file)
    connection.execute(statement)
    connection.commit()
    connection.close()


def create_database(folder: Path) -> Path:
    file = folder / "bridge.sqlite3"
    store = Store(f"sqlite:///{file}")
    KeyRing(store, SECRET, lambda: NOW)
    store.close()
    return file


def test_missing_file_is_not_created(tmp_path: Path) -> None:
    assert Store.open_existing(f"sqlite:///{tmp_path}/none.sqlite3") == "absent"
    assert list(tmp_path.iterdir()) == []


def test_file_that_cannot_be_created_is_rejected(tmp_path: Path) -> None:
    assert "must exist or be creatable" in refusal(f"sqlite:///{tmp_path}/nowhere/none.sqlite3")


def test_empty_file_stays_empty(tmp_path: Path) -> None:
    (tmp_path / "empty.sqlite3").touch()
    assert Store.open_existing(f"sqlite:///{tmp_path}/empty.sqlite3") == "empty"
    assert (tmp_path / "empty.sqlite3").stat().st_size == 0


def test_older_database_is_not_migrated(tmp_path: Path) -> None:
    file = create_database(tmp_path)
    run(file, "UPDATE alembic_version SET version_num = '0001'")
    before = hashlib.sha256(file.read_bytes()).digest()
    assert Store.open_existing(f"sqlite:///{file}") == "older"
    assert hashlib.sha256(file.read_bytes()).digest() == before


def test_newer_or_foreign_database_is_rejected(tmp_path: Path) -> None:
    file = create_database(tmp_path)
    run(file, "UPDATE alembic_version SET version_num = '9999'")
    assert "newer version" in refusal(f"sqlite:///{file}")
    run(tmp_path / "other.sqlite3", "CREATE TABLE sessions (x)")
    assert "no release of Passerelle created" in refusal(f"sqlite:///{tmp_path}/other.sqlite3")
    (tmp_path / "text").write_text("no database" * 100)
    assert "not a database" in refusal(f"sqlite:///{tmp_path}/text")


def test_existing_store_is_read_without_change(tmp_path: Path) -> None:
    file = create_database(tmp_path)
    before = hashlib.sha256(file.read_bytes()).digest()
    store = Store.open_existing(f"sqlite:///{file}")
    assert isinstance(store, Store)
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
def test_malformed_database_url_is_not_quoted(url: str) -> None:
    with pytest.raises(ValueError, match=r"must be|port has to be") as caught:
        check_database_url(SecretStr(url))
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
def test_database_url_of_driver_is_accepted(url: str) -> None:
    check_database_url(SecretStr(url))
    open_engine(url).dispose()


def test_sqlalchemy_error_is_not_quoted() -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_engine("postgresql://u:s3cret@h:notaport/db")
    assert "s3cret" not in caught.value.faults[0]
