"""Folders as the one-shot container of the administrator's commands mounts them."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from shutil import copytree

import pytest

from hub.administration.worker import repository, runtime
from tests.machine.status import restic_program
from tests.support.hub.weak_key import PASSWORD, quick_repository

run_restic = repository._run
HUB_TABLES = """
CREATE TABLE users (name TEXT); INSERT INTO users VALUES ('bob');
CREATE TABLE servers (id INTEGER); INSERT INTO servers VALUES (1), (2);
CREATE TABLE spawners (server_id INTEGER, state TEXT, started TEXT); INSERT INTO spawners VALUES (2, 'lab of A', 'now');
"""


@pytest.fixture
def volumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create the empty mount points, and put the tested restic on the PATH."""
    for name in ("volumes", "target", "checkout", "site", "output", "staging/files"):
        (tmp_path / name).mkdir(parents=True)
        monkeypatch.setattr(runtime, name.partition("/")[0].upper(), tmp_path / name)
    monkeypatch.setattr(runtime, "PASSWORD", tmp_path / "password")
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    if restic := restic_program():
        monkeypatch.setenv("PATH", str(restic.parent), prepend=":")
        monkeypatch.setattr(repository, "_run", partial(_run_quickly, restic))
    return tmp_path / "volumes"


def _run_quickly(restic: Path, *arguments: str, **options: bool) -> bytes:
    if arguments != ("init",):
        return run_restic(*arguments, **options)
    copytree(quick_repository(restic), runtime.TARGET, dirs_exist_ok=True)
    return b""


@pytest.fixture
def filled(volumes: Path) -> Iterator[Path]:
    """Create a hub whose database is open, and a home."""
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


def make_deep_folders(folder: Path, levels: int = 1_500) -> None:
    """Create folders in folders, `deep/x/x/…`, whose path is longer than any path may be."""
    current = os.open(folder, os.O_RDONLY)
    for name in ("deep", *["x" * 20] * levels):
        os.mkdir(name, dir_fd=current)
        below = os.open(name, os.O_RDONLY, dir_fd=current)
        os.close(current)
        current = below
    os.close(current)
