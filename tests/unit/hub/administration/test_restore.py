"""Restores on folders as the one-shot container mounts them: real restic, real SQLite, no engine."""

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hub.administration import AdministrationError
from hub.administration.worker import repository, restore, runtime
from hub.administration.worker.backup import archive_home
from hub.administration.worker.manifest import Manifest, parse_manifest, read_manifest
from hub.administration.worker.restore import describe, find_snapshot
from hub.config.settings import RESTORE_MARK, RESTORE_MARKS
from tests.support.hub.backups import backup, write
from tests.support.hub.volumes import filled, make_deep_folders, volumes

__all__ = ["filled", "volumes"]  # fixtures

pytestmark = pytest.mark.needs("restic")


def clear(volumes: Path) -> None:
    volumes.rename(volumes.with_name("before"))
    for place in ("service/hub-data", "home/bob"):
        (volumes / place).mkdir(parents=True)


def run_restore(snapshot: str, **options: Any) -> None:
    assert restore.restore(snapshot, "6.1.1", **options) == []


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def file_tree(folder: Path) -> dict[str, str]:
    """Return the content of each file, by its path; folders and links are empty."""
    files = {path: path.read_text() if path.is_file() and not path.is_symlink() else "" for path in folder.rglob("*")}
    return {str(path.relative_to(folder)): text for path, text in files.items()}


@pytest.fixture
def described() -> Callable[..., dict[str, Any]]:
    return partial(describe, project="hub", snapshot="", only_databases=False, home="")


def test_everything_is_restored_and_no_lab_is_running(filled: Path) -> None:
    with (filled / "home/bob/sparse").open("wb") as stream:
        stream.truncate(50_000_000)
    os.link(filled / "home/bob/kept.txt", filled / "home/bob/hard link")
    os.chown(filled / "home/bob/kept.txt", 1000, 100)
    os.setxattr(filled / "home/bob/kept.txt", "user.note", b"mine")
    os.chown(filled / "home/bob", 1000, 100)
    (filled / "home/bob").chmod(0o2750)
    snapshot = backup()
    clear(filled)
    run_restore(snapshot)

    home = filled / "home/bob"
    assert sorted(path.name for path in home.iterdir()) == [
        *(".cache", "bad\nname", "hard link", "kept.txt", "link", "sparse")
    ]
    assert (home / "link").readlink() == Path("/etc/passwd")
    assert (home.stat().st_uid, home.stat().st_gid, home.stat().st_mode & 0o7777) == (1000, 100, 0o2750)
    status = (home / "kept.txt").stat()
    assert (status.st_mode & 0o777, status.st_uid, status.st_gid, status.st_nlink) == (0o640, 1000, 100, 2)
    assert os.getxattr(home / "kept.txt", "user.note") == b"mine"
    assert (home / "sparse").stat().st_blocks * 512 < 1_000_000
    assert (filled / "service/hub-data/cookie_secret").read_text() == "secret"
    with closing(sqlite3.connect(filled / "service/hub-data/jupyterhub.sqlite")) as database:
        assert database.execute("SELECT name FROM users").fetchall() == [("bob",)]
        assert database.execute("SELECT id FROM servers").fetchall() == [(1,)]
        assert database.execute("SELECT server_id, state FROM spawners").fetchall() == [(None, None)]


def test_interrupted_restore_continues(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = backup()
    clear(filled)
    with monkeypatch.context() as patch:
        patch.setattr(restore, "_put_database", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run_restore(snapshot)
    assert (filled / "home/bob/kept.txt").exists()
    (filled / "home/bob/kept.txt").write_text("torn")
    run_restore(snapshot)

    assert (filled / "home/bob/kept.txt").read_text() == "kept"
    assert (filled / "service/hub-data/jupyterhub.sqlite").exists()
    assert list(filled.rglob(RESTORE_MARK)) == []


def test_hub_volume_is_marked_first_and_unmarked_last(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (filled / "service/secrets").mkdir()
    snapshot = backup()
    clear(filled)
    hub_data, unlinked = filled / "service/hub-data", []
    write_mark = restore._write_mark

    def mark_and_interrupt(*arguments: str) -> None:
        write_mark(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(restore, "_write_mark", mark_and_interrupt)
        with pytest.raises(KeyboardInterrupt):
            run_restore(snapshot)
    assert (hub_data / RESTORE_MARK).exists()

    unlink = Path.unlink
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda path, **options: (unlinked.append(path), unlink(path, **options)))
        run_restore(snapshot)
    assert [path for path in unlinked if path.name == RESTORE_MARK][-1].parent == hub_data
    assert not (hub_data / RESTORE_MARK).exists()


def test_partial_restore_blocks_another_backup(
    filled: Path, monkeypatch: pytest.MonkeyPatch, described: Callable[..., dict[str, Any]]
) -> None:
    first, second = backup(), backup()
    clear(filled)
    with monkeypatch.context() as patch:
        patch.setattr(restore, "_put_database", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run_restore(first)

    assert described(snapshot=first)["overwritten"] == []
    assert [one["place"] for one in described(snapshot=second)["overwritten"]] == ["home/bob", "service/hub-data"]
    with pytest.raises(AdministrationError, match="is not empty: nothing was written"):
        run_restore(second)
    assert (filled / "home/bob/kept.txt").exists()
    run_restore(second, force=True)
    assert list(filled.rglob(RESTORE_MARK)) == []


HOSTILE_ENTRIES: dict[str, Callable[[Path, Path], object]] = {
    "file": lambda path, _: path.write_text("mine"),
    "folder": lambda path, _: write(path / "a/b"),
    "fifo": lambda path, _: os.mkfifo(path),
    "link": lambda path, other: path.symlink_to(other),
    "dangling link": lambda path, other: path.symlink_to(other.with_name("new")),
    "link to a folder": lambda path, other: path.symlink_to(other.parent),
    "hard link": lambda path, _: os.link(path.with_name("kept.txt"), path),
}


@pytest.mark.parametrize("kind", HOSTILE_ENTRIES)
def test_entries_of_a_user_are_removed_and_never_followed(filled: Path, kind: str) -> None:
    victim = write(filled / "home/ann/private/diary", "secret")
    for name in (RESTORE_MARK, RESTORE_MARKS, "lost+found", "-delete"):
        HOSTILE_ENTRIES[kind](filled / "home/bob" / name, victim)
    restore._empty("home/bob")
    assert list((filled / "home/bob").iterdir()) == []
    assert file_tree(filled / "home/ann") == {"private": "", "private/diary": "secret"}


def test_links_of_a_user_do_not_steer_a_restore(filled: Path) -> None:
    write(filled / "home/bob/lost+found/diary", "mine")
    snapshot = backup()
    victim = write(filled / "home/ann/private/diary", "secret")
    shutil.rmtree(filled / "home/bob/lost+found")
    (filled / "home/bob/lost+found").symlink_to(victim.parent)
    (filled / "home/bob" / RESTORE_MARK).symlink_to(victim)
    run_restore(snapshot, home="bob", force=True)

    assert file_tree(filled / "home/ann") == {"private": "", "private/diary": "secret"}
    assert (filled / "home/bob/lost+found/diary").read_text() == "mine"
    assert not os.path.lexists(filled / "home/bob" / RESTORE_MARK)


def test_marks_of_a_user_do_not_count(filled: Path) -> None:
    snapshot = backup()
    for name in (RESTORE_MARK, f"{RESTORE_MARKS}/home/bob"):
        write(filled / "home/bob" / name, f"{snapshot}\nemptied\n")
    with pytest.raises(AdministrationError, match="home/bob is not empty"):
        run_restore(snapshot)


def test_home_may_contain_names_of_marks(filled: Path) -> None:
    for name in (RESTORE_MARK, RESTORE_MARKS):
        write(filled / "home/bob" / name, "mine")
    snapshot = backup()
    clear(filled)
    run_restore(snapshot)
    assert (filled / "home/bob" / RESTORE_MARK).read_text() == "mine"
    assert (filled / "home/bob" / RESTORE_MARKS).read_text() == "mine"


def test_deep_folders_of_a_user_are_emptied(filled: Path) -> None:
    make_deep_folders(filled / "home/bob")
    restore._empty("home/bob")
    assert list((filled / "home/bob").iterdir()) == []


def test_empty_file_system_counts_as_empty(filled: Path) -> None:
    snapshot = backup()
    clear(filled)
    (filled / "home/bob/lost+found").mkdir()
    run_restore(snapshot)
    assert (filled / "home/bob/kept.txt").exists()


def fail_restores(volumes: Path, *errors: tuple[str, str]) -> None:
    """Make restic report errors of files at the end of a restore."""
    program = shutil.which("restic")
    lines = [json.dumps({"message_type": "error", "error": {"message": text}, "item": item}) for item, text in errors]
    script = write(
        volumes.parent / "failing/restic",
        f'#!/bin/sh\n{program} "$@" || exit\ncase " $* " in *" restore "*) cat <<\'E\'\n'
        + "\n".join(lines)
        + "\nE\nexit 1;; esac\n",
    )
    script.chmod(0o755)
    os.environ["PATH"] = f"{script.parent}:{os.environ['PATH']}"


def test_file_that_a_disk_cannot_store_is_reported(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.environ["PATH"])
    snapshot = backup()
    fail_restores(filled, (f"{filled}/home/bob/x", "invalid cross-device link"))
    assert restore.restore(snapshot, "6.1.1", force=True) == ["home/bob/x"]
    assert list(filled.rglob(RESTORE_MARK)) == []


@pytest.mark.parametrize(
    ("place", "text"), [("service/hub-data", "invalid argument"), ("home/bob", "write: no space left on device")]
)
def test_other_errors_leave_a_restore_unfinished(
    filled: Path, monkeypatch: pytest.MonkeyPatch, place: str, text: str
) -> None:
    monkeypatch.setenv("PATH", os.environ["PATH"])
    snapshot = backup()
    fail_restores(filled, (f"{filled}/{place}/x", text))
    with pytest.raises(AdministrationError, match=text):
        run_restore(snapshot, force=True)
    assert (filled / "service/hub-data" / RESTORE_MARK).exists()


def test_existing_data_is_overwritten_only_with_force(filled: Path) -> None:
    snapshot = backup()
    (filled / "home/bob/later.txt").write_text("written after the backup")
    with pytest.raises(AdministrationError, match="home/bob is not empty: nothing was written"):
        run_restore(snapshot)
    assert (filled / "home/bob/later.txt").exists()
    assert list(filled.rglob(RESTORE_MARK)) == []
    run_restore(snapshot, force=True)

    assert not (filled / "home/bob/later.txt").exists()
    assert (filled / "home/bob/kept.txt").read_text() == "kept"


@pytest.fixture
def small_disk(filled: Path) -> Iterator[Path]:
    """Mount a disk of 100 MiB for volumes."""
    disk = filled.parent / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100m", "none", disk], check=True)
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def move_to(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Create volumes on another disk and use them."""
    (disk / "volumes/home/bob").mkdir(parents=True)
    (disk / "volumes/service/hub-data").mkdir(parents=True)
    monkeypatch.setattr(runtime, "VOLUMES", disk / "volumes")


@pytest.mark.needs("mounts")
@pytest.mark.parametrize("home", ["", "bob"])
def test_restore_that_does_not_fit_is_rejected(
    small_disk: Path,
    filled: Path,
    described: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    home: str,
) -> None:
    (filled / "home/bob/data").write_bytes(os.urandom(40_000_000))
    snapshot = backup()
    move_to(small_disk, monkeypatch)
    kept = write(small_disk / "volumes/home/bob/kept.txt")
    for command in (partial(described, home=home), partial(run_restore, snapshot, force=True, home=home)):
        with pytest.raises(AdministrationError, match=r"100\.0 MiB free and 102 MiB are needed.*Nothing was"):
            command()
    assert kept.exists()
    assert list(small_disk.rglob(RESTORE_MARK)) == []


@pytest.mark.needs("mounts")
@pytest.mark.parametrize("kind", ["tmpfs", "xfs"])
def test_only_surely_freed_space_counts(
    small_disk: Path, filled: Path, described: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    (filled / "home/bob/data").write_bytes(os.urandom(30_000_000))
    backup()
    move_to(small_disk, monkeypatch)
    (small_disk / "volumes/home/bob/data").write_bytes(os.urandom(30_000_000))
    if kind == "xfs":
        monkeypatch.setattr(restore, "UNSHARED", ())
    with nullcontext() if kind == "tmpfs" else pytest.raises(AdministrationError, match="MiB are needed"):
        assert described()["overwritten"]


@pytest.mark.needs("mounts")
def test_holes_and_excluded_files_need_no_space(
    small_disk: Path, filled: Path, described: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with (filled / "home/bob/sparse").open("wb") as stream:
        stream.truncate(200_000_000)
    (filled / "home/bob/.cache/data").write_bytes(os.urandom(60_000_000))
    backup(exclude=[".cache"])
    move_to(small_disk, monkeypatch)
    assert described()["places"]


def test_damaged_backup_is_rejected_before_anything_is_written(filled: Path) -> None:
    (filled / "home/bob/data").write_bytes(os.urandom(1_000_000))
    snapshot = backup()
    pack = max((runtime.TARGET / "data").rglob("[0-9a-f]" * 64), key=lambda path: path.stat().st_size)
    content = bytearray(pack.read_bytes())
    content[len(content) // 2] ^= 1
    pack.chmod(0o600)
    pack.write_bytes(content)
    with pytest.raises(AdministrationError, match="restic: "):
        run_restore(snapshot, force=True)
    assert (filled / "home/bob/kept.txt").exists()
    assert list(filled.rglob(RESTORE_MARK)) == []


def test_one_home_is_restored_while_others_stay(filled: Path, described: Callable[..., dict[str, Any]]) -> None:
    write(filled / "home/ann/mine.txt", "as of the backup")
    snapshot = backup()
    write(filled / "home/ann/mine.txt", "later")
    (filled / "home/bob/kept.txt").unlink()
    assert [one["place"] for one in described(home="bob")["overwritten"]] == ["home/bob"]
    run_restore(snapshot, home="bob", force=True)
    assert (filled / "home/bob/kept.txt").read_text() == "kept"
    assert (filled / "home/ann/mine.txt").read_text() == "later"
    with pytest.raises(AdministrationError, match="does not contain it"):
        run_restore(snapshot, home="zoe")


def test_archived_home_is_restored(filled: Path, described: Callable[..., dict[str, Any]]) -> None:
    write(filled / "home/ann/mine.txt")
    for home in ("bob", "ann"):
        archive_home("hub", home, 30)
    (filled / "home/bob/kept.txt").unlink()
    run_restore(described(home="bob")["snapshot"], home="bob", force=True)
    assert (filled / "home/bob/kept.txt").read_text() == "kept"


def test_databases_are_restored_without_the_rest(filled: Path) -> None:
    backup()
    snapshot = backup(only_databases=True)
    (filled / "service/hub-data/jupyterhub.sqlite").unlink()
    (filled / "service/hub-data/cookie_secret").write_text("new")
    run_restore(snapshot, only_databases=True, force=True)
    assert (filled / "service/hub-data/jupyterhub.sqlite").exists()
    assert (filled / "service/hub-data/cookie_secret").read_text() == "new"
    with pytest.raises(AdministrationError, match="add --only-databases"):
        run_restore(snapshot)


def test_newest_backup_that_fits_is_chosen(filled: Path) -> None:
    full, databases = backup(), backup(only_databases=True)
    assert find_snapshot("").id == full
    assert find_snapshot("", only_databases=True).id == databases
    assert find_snapshot(databases[:4]).id == databases
    with pytest.raises(AdministrationError, match="no backup 0000000 in that folder"):
        find_snapshot("0000000")


def test_folder_without_backups_is_reported(volumes: Path) -> None:
    with pytest.raises(AdministrationError, match="there is no such backup in that folder"):
        find_snapshot("")


def test_backup_of_a_later_jupyterhub_is_rejected(filled: Path) -> None:
    snapshot = backup(versions={"jupyterhub": "6.10.0"})
    with pytest.raises(AdministrationError, match=r"made with JupyterHub 6\.10\.0; this checkout has 6\.9\.1"):
        restore.restore(snapshot, "6.9.1")


def test_settings_are_compared_and_extracted(filled: Path, described: Callable[..., dict[str, Any]]) -> None:
    (runtime.CHECKOUT / ".env").write_text("HUB_HOST=a\n")
    (runtime.SITE / "hub.toml").write_text("# mine\n")
    backup()
    (runtime.CHECKOUT / ".env").write_text("HUB_HOST=b\n")
    found = described()
    assert restore.extract_settings("") == [".env", "deployment/site/hub.toml"]

    assert found["settings"] == [".env"]
    assert [one["place"] for one in found["overwritten"]] == ["home/bob", "service/hub-data"]
    assert (runtime.OUTPUT / "deployment/site/hub.toml").read_text() == "# mine\n"
    assert (runtime.OUTPUT / ".env").read_text() == "HUB_HOST=a\n"


def test_settings_of_a_backup_are_read_at_once(
    filled: Path, described: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.env", "ü ß.env", "deployment/certs/server.crt"):
        write(runtime.CHECKOUT / name)
    backup()
    starts: list[tuple[str, ...]] = []
    run = repository._run
    monkeypatch.setattr(repository, "_run", lambda *words, **options: (starts.append(words), run(*words, **options))[1])

    assert described()["settings"] == []
    assert len(starts) == 3  # snapshots, manifest, settings


def test_extraction_overwrites_no_settings(filled: Path) -> None:
    (runtime.CHECKOUT / ".env").write_text("HUB_HOST=a\n")
    backup()
    (runtime.OUTPUT / ".env").write_text("HUB_HOST=current\n")
    with pytest.raises(AdministrationError, match=r"\.env exists in that directory"):
        restore.extract_settings("")
    assert (runtime.OUTPUT / ".env").read_text() == "HUB_HOST=current\n"


@pytest.mark.parametrize("path", ["../../etc/shadow", "/etc/shadow", "a/../../b", ""])
def test_manifest_cannot_point_outside_its_volume(filled: Path, path: str) -> None:
    text = json.loads(read_manifest(backup()).model_dump_json())
    for changed in ({"databases": [text["databases"][0] | {"path": path}]}, {"places": [f"home/{path}"]}):
        with pytest.raises(AdministrationError, match="this version cannot read"):
            parse_manifest(json.dumps(text | changed).encode())


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}'])
def test_invalid_manifest_is_reported(text: str) -> None:
    with pytest.raises(AdministrationError, match="use the version of Passerelle that wrote it"):
        parse_manifest(text.encode())


def test_manifest_needs_neither_places_nor_databases() -> None:
    assert Manifest.model_validate({"project": "x", "taken": "2026-01-01T00:00:00Z"}).places == ()
