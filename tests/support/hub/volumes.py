"""Folders as the one-shot container of the administrator's commands sees them."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hub.administration.worker import backup, checkout, offboard, places, restore, settings

HUB_TABLES = """
CREATE TABLE users (name TEXT); INSERT INTO users VALUES ('bob');
CREATE TABLE servers (id INTEGER); INSERT INTO servers VALUES (1), (2);
CREATE TABLE spawners (server_id INTEGER, state TEXT, started TEXT); INSERT INTO spawners VALUES (2, 'lab of A', 'now');
"""


@pytest.fixture
def volumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("volumes", "target", "checkout", "site"):
        (tmp_path / name).mkdir()
    for module in (places, settings, backup, restore, offboard, checkout):
        for name in ("volumes", "target", "checkout", "site"):
            if hasattr(module, name.upper()):
                monkeypatch.setattr(module, name.upper(), tmp_path / name)
    return tmp_path / "volumes"


@pytest.fixture
def filled(volumes: Path) -> Iterator[Path]:
    """A hub whose database is open, and a home."""
    hub, home = volumes / "service/hub-data", volumes / "home/bob"
    hub.mkdir(parents=True)
    home.mkdir(parents=True)
    (hub / "cookie_secret").write_text("secret")
    (home / "kept.txt").write_text("kept")
    (home / "kept.txt").chmod(0o640)
    (home / "link").symlink_to("/etc/passwd")
    (home / "bad\nname").write_text("x")
    (home / ".cache").mkdir()
    (home / ".cache/big").write_text("y")
    with closing(sqlite3.connect(hub / "jupyterhub.sqlite")) as live:
        live.execute("PRAGMA journal_mode = WAL")
        live.executescript(HUB_TABLES)
        yield volumes
