"""Backups on folders as the one-shot container mounts them: real restic, real SQLite, no engine."""

import json
import os
import socket
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from hub.administration import AdministrationError
from hub.administration.worker import repository, runtime, sparse_files
from hub.administration.worker.backup import back_up, list_backups, volume_sizes
from hub.administration.worker.manifest import read_manifest
from hub.administration.worker.sparse_files import oversized_files
from tests.support.hub.backups import REQUEST, backup, backup_and_read_messages, file_names, write
from tests.support.hub.volumes import filled, run_restic, volumes

__all__ = ["filled", "volumes"]  # fixtures

pytestmark = pytest.mark.needs("restic")


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_database_copy_is_consistent_during_a_write(filled: Path) -> None:
    database = filled / "service/hub-data/jupyterhub.sqlite"
    with closing(sqlite3.connect(database)) as writer:
        writer.execute("INSERT INTO users VALUES ('not yet committed')")
        snapshot = backup()
        writer.rollback()
    (copy,) = read_manifest(snapshot).databases
    repository.extract_folder(snapshot, runtime.STAGING / "database", runtime.OUTPUT)
    with closing(sqlite3.connect(runtime.OUTPUT / copy.file.removeprefix("database/"))) as restored:
        assert restored.execute("SELECT name FROM users").fetchall() == [("bob",)]
    assert not any("sqlite" in name for name in file_names(snapshot, filled / "service"))


def test_patterns_exclude_from_homes_but_never_from_services(filled: Path) -> None:
    write(filled / "home/bob/deep/.cache/other")
    write(filled / "service/hub-data/.cache/needed")
    snapshot = backup(exclude=[".cache", "cookie_secret", "*.txt"])
    homes, services = file_names(snapshot, filled / "home"), file_names(snapshot, filled / "service")
    assert {"bad\nname", "link"} <= set(homes)
    assert not {".cache", "big", "other", "kept.txt"} & set(homes)
    assert {"cookie_secret", "needed"} <= set(services)


def make_sparse(path: Path, size: int) -> None:
    with path.open("wb") as stream:
        stream.truncate(size)


def test_huge_hole_is_left_out_and_reported(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse_files, "MAX_HOLES", 10 << 20)
    for name in ("mine*\n[1]", "mine*\n[2]"):
        make_sparse(filled / "home/bob" / name, 6 << 20)
    result, _ = backup_and_read_messages()
    assert result["unread"] == ["home/bob/mine*\n[2]"]
    assert "kept.txt" in file_names(result["snapshot"], filled / "home/bob")


def test_oversized_files_are_the_largest(tmp_path: Path) -> None:
    for number in range(4):
        make_sparse(tmp_path / str(number), (300 + number) << 30)
    (tmp_path / "link").symlink_to("3")
    (tmp_path / os.fsdecode(b"\xff")).write_bytes(b"x" * (2 << 20))
    assert oversized_files(tmp_path) == [tmp_path / "3"]


def test_volume_with_many_oversized_files_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse_files, "MAX_FILES", 1)
    for number in range(3):
        make_sparse(tmp_path / str(number), 2 << 40)
    assert oversized_files(tmp_path) == [tmp_path]


def test_backup_without_progress_is_stopped(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status = json.dumps({"message_type": "status", "files_done": 1, "current_files": [f"{filled}/home/bob/fifo"]})
    # restic that waits for a FIFO ignores an interruption.
    script = write(
        filled.parent / "hanging/restic", f"#!/bin/sh\ntrap '' INT\necho '{status}\n{status}'\nexec sleep 60\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(script.parent), prepend=":")
    monkeypatch.setattr(repository, "STALL_TIMEOUT", 0)
    monkeypatch.setattr(repository, "_SHUTDOWN_TIMEOUT", 0.1)
    with pytest.raises(AdministrationError, match="no progress for 0 minutes at home/bob/fifo"):
        repository.create_snapshot([filled / "home/bob"], project="hub", tags=[])


def test_repository_is_encrypted_and_readable_by_root_only(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, "_run", run_restic)
    usual = os.umask(0o022)
    try:
        runtime.TARGET.chmod(0o755)
        backup()
    finally:
        os.umask(usual)
    files = [path for path in runtime.TARGET.rglob("*") if path.is_file()]
    assert mode(runtime.TARGET) == 0o700
    assert {mode(path) & 0o077 for path in files} <= {0}
    assert not any(b"secret" in path.read_bytes() or b"kept" in path.read_bytes() for path in files)


def test_wrong_password_is_reported(filled: Path) -> None:
    backup()
    runtime.PASSWORD.write_text("wrong\n")
    with pytest.raises(AdministrationError, match="HUB_BACKUP_PASSWORD_FILE"):
        backup()


def test_password_is_created_once_for_root_only(volumes: Path) -> None:
    assert repository.create_password("/opt/backup-password")
    path = runtime.TARGET / "backup-password"
    created = path.read_text()
    assert not repository.create_password("/opt/backup-password")
    assert (path.read_text(), mode(path)) == (created, 0o600)
    assert len(created) > 40


@pytest.mark.parametrize("folder", ["OUTPUT", "TARGET"])
def test_missing_password_of_a_repository_is_reported(volumes: Path, folder: str) -> None:
    write(getattr(runtime, folder) / "config")
    with pytest.raises(AdministrationError, match=r"file /opt/my-password is missing.*HUB_BACKUP_PASSWORD_FILE"):
        repository.create_password("/opt/my-password")
    assert not (runtime.TARGET / "my-password").exists()


def test_password_is_not_in_the_process_list(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []
    popen = subprocess.Popen

    class Recorder(popen):  # type: ignore[misc,valid-type]
        def __init__(self, command: list[str], **options: object) -> None:
            commands.append(command)
            super().__init__(command, **options)

    monkeypatch.setattr(subprocess, "Popen", Recorder)
    backup()
    assert commands
    assert "correct horse" not in str(commands)


@pytest.mark.parametrize("name", ["index.html", "manifest.json"])
def test_rejected_folder_keeps_its_mode(filled: Path, name: str) -> None:
    runtime.TARGET.chmod(0o755)
    (runtime.TARGET / name).write_text('{"name": "of a web application"}')
    with pytest.raises(AdministrationError, match="the folder is not empty"):
        backup()
    assert mode(runtime.TARGET) == 0o755


def test_folder_with_backups_of_another_project_is_rejected(filled: Path) -> None:
    backup()
    with pytest.raises(AdministrationError, match="contains backups of hub: name another one for other"):
        backup(project="other")


def test_second_backup_stores_only_what_changed(filled: Path) -> None:
    (filled / "home/bob/data").write_bytes(os.urandom(3_000_000))
    first = backup_and_read_messages()[0]
    (filled / "home/bob/kept.txt").write_text("changed")
    second = backup_and_read_messages()[0]
    assert first["stored"] > 3_000_000
    assert second["stored"] < 100_000
    assert second["bytes"] > 3_000_000


def test_interrupted_backup_leaves_no_snapshot_and_no_lock(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (filled / "home/bob/data").write_bytes(os.urandom(40_000_000))
    environment = repository._environment() | {"RESTIC_PROGRESS_FPS": "60"}

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(repository, "_environment", lambda: environment)
        patch.setattr(repository, "_emit_progress", interrupt)
        with pytest.raises(KeyboardInterrupt):
            backup()
    assert repository.snapshots("full") == []
    assert not list((runtime.TARGET / "locks").iterdir())
    snapshot = backup()
    assert [one.id for one in repository.snapshots("full")] == [snapshot]


@pytest.mark.needs("mounts")
def test_full_disk_is_reported_with_what_to_do(filled: Path) -> None:
    (filled / "home/bob/data").write_bytes(os.urandom(8_000_000))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", runtime.TARGET], check=True)
    try:
        with pytest.raises(
            AdministrationError, match=r"no space left on device.*Free space, then run the same command"
        ):
            backup()
    finally:
        subprocess.run(["umount", runtime.TARGET], check=True)


def test_lock_of_a_killed_container_is_removed(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backup()
    locks = runtime.TARGET / "locks"
    command = repository._command(["backup", "--stdin"])
    with subprocess.Popen(command, env=repository._environment(), stdin=subprocess.PIPE) as process:
        while not any(locks.iterdir()):
            time.sleep(0.01)
        # It is alive, as is any process that got the process id of a killed one.
        with monkeypatch.context() as patch:
            patch.setattr(socket, "gethostname", lambda: "another-administration")
            with pytest.raises(AdministrationError, match="another command uses that repository"):
                backup()
        backup()
        process.kill()
    assert not any(locks.iterdir())


@pytest.fixture
def unreadable_file(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let restic report an unreadable file."""
    wrapper = filled.parent / "bin"
    write(
        wrapper / "restic",
        '#!/bin/sh\ncase " $* " in *\' backup \'*) ;; *) exec "$RESTIC" "$@";; esac\n'
        'printf \'{"message_type":"error","error":{"message":"permission denied"},"item":"%s/home/bob/x"}\\n\' '
        f'{filled} >&2\n"$RESTIC" "$@"\nexit 3\n',
    ).chmod(0o755)
    restic = subprocess.run(["which", "restic"], capture_output=True, text=True, check=True).stdout.strip()
    monkeypatch.setenv("RESTIC", restic)
    monkeypatch.setenv("PATH", str(wrapper), prepend=":")


@pytest.mark.usefixtures("unreadable_file")
def test_unreadable_files_are_reported() -> None:
    result = backup_and_read_messages()[0]
    assert result["unread"] == ["home/bob/x"]
    assert [(one["snapshot"], one["content"]) for one in list_backups()] == [(result["snapshot"], "full incomplete")]


def test_incomplete_backup_replaces_no_complete_one(filled: Path, request: pytest.FixtureRequest) -> None:
    backup()
    complete = backup()
    request.getfixturevalue("unreadable_file")
    backup()
    incomplete = backup(keep={"daily": 1})
    assert [one.id for one in repository.snapshots("full")] == [complete, incomplete]


def test_damaged_repository_is_reported_by_the_next_backup(filled: Path) -> None:
    backup()
    for pack in (runtime.TARGET / "data").rglob("[0-9a-f]" * 64):
        pack.chmod(0o600)
        pack.unlink()
    with pytest.raises(AdministrationError, match="restic: "):
        backup()


def test_failed_check_deletes_no_older_backup(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = backup()

    def report_damage() -> None:
        raise AdministrationError("restic: pack is damaged.")

    monkeypatch.setattr(repository, "check_repository", report_damage)
    with pytest.raises(AdministrationError, match="damaged"):
        backup(keep={"daily": 1})
    assert first in [one.id for one in repository.snapshots("full")]


def test_retention_deletes_older_backups_and_keeps_databases(filled: Path) -> None:
    first, databases = backup(), backup(only_databases=True)
    last = backup(keep={"daily": 1, "weekly": 0, "monthly": 0})
    assert [one.id for one in repository.snapshots("full")] == [last]
    assert [one.id for one in repository.snapshots("databases")] == [databases]
    assert first != last


@pytest.mark.parametrize("only_databases", [False, True])
def test_unused_project_is_not_backed_up(volumes: Path, only_databases: bool) -> None:
    (volumes / "service/hub-data").mkdir(parents=True)
    with pytest.raises(
        AdministrationError, match=r"project demo has neither a hub database nor a home.*deployment/site"
    ):
        back_up("demo", {}, only_databases=only_databases)
    assert list(runtime.TARGET.iterdir()) == []


def test_home_without_hub_database_is_backed_up(volumes: Path) -> None:
    (volumes / "home/bob").mkdir(parents=True)
    assert read_manifest(backup()).places == ("home/bob",)


def test_databases_only_backup_reads_no_volume(filled: Path) -> None:
    snapshot = backup(only_databases=True)
    assert read_manifest(snapshot).places == ("service/hub-data",)
    assert "cookie_secret" not in file_names(snapshot, Path("/"))
    assert REQUEST["project"] == read_manifest(snapshot).project


def test_sizes_are_reported_by_volume(filled: Path) -> None:
    rows = volume_sizes()
    assert [row["place"] for row in rows] == ["service/hub-data", "home/bob"]
    assert all(row["bytes"] > 0 for row in rows)
