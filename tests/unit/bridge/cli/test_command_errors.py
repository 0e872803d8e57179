"""Errors around commands end in one message and a non-zero status, without a traceback.

Every fault is tried on one command, and every command with one fault of each kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import click
import pytest

from bridge.cli import main
from tests.support.bridge.command_forks import Command
from tests.support.bridge.live_bridge import free_port
from tests.unit.bridge.cli.command_table import ONE_SHOT, ROWS, Row, assert_reports, commands, row_id

COMMANDS = dict(commands(main))
GROUPS = [(), *(path for path, command in COMMANDS.items() if isinstance(command, click.Group))]
READER = ("clients", "list")
Fault = Callable[[Path], None]
Start = Callable[..., Command]


def test_every_command_has_a_row() -> None:
    assert set(ROWS) == {path for path, command in COMMANDS.items() if not isinstance(command, click.Group)}


@pytest.mark.parametrize("path", ONE_SHOT, ids=row_id)
def test_command_succeeds(path: tuple[str, ...], starts: Start) -> None:
    """Check the rows, on which the other tests depend."""
    row = ONE_SHOT[path]
    result = starts(path, row.valid, stdin=row.stdin).wait()
    assert (result.status, "Traceback" in result.stderr) == (row.status, False), result.stderr
    assert result.stdout


@pytest.mark.parametrize(
    ("path", "words"),
    [*(((), words) for words in ([], ["--no-such-option"], [""])), *((path, ["no-such-command"]) for path in GROUPS)],
    ids=row_id,
)
def test_group_without_known_command_shows_usage(path: tuple[str, ...], words: list[str], starts: Start) -> None:
    result = starts(path, words).wait()
    assert_reports(result, Row())
    assert (result.status, result.stdout) == (2, "")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (path, words)
        for path, row in ROWS.items()
        for words in [*row.invalid, *([] if row.has_free_arguments else [["--no-such-option"]])]
    ],
    ids=row_id,
)
def test_wrong_arguments_are_rejected_before_any_change(
    path: tuple[str, ...], words: list[str], starts: Start, folder: Path
) -> None:
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    result = starts(path, words, stdin="").wait()
    assert_reports(result, Row())
    assert (result.status, result.stdout) == (2, "")
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("path", "words"), [(path, words) for path, row in ROWS.items() for words in row.rejected], ids=row_id
)
def test_impossible_requests_are_reported(path: tuple[str, ...], words: list[str], starts: Start) -> None:
    row = ROWS[path]
    result = starts(path, words, stdin=row.stdin or "").wait()
    assert_reports(result, row)
    assert (result.status, result.stdout) == (1, "")


@pytest.mark.parametrize("path", [*GROUPS, *ROWS], ids=row_id)
def test_arguments_that_are_not_text_are_rejected(path: tuple[str, ...], starts: Start) -> None:
    result = starts(path, ["\udcff"]).wait()  # how Python represents undecodable bytes
    assert_reports(result, Row(), "not UTF-8")
    assert (result.status, result.stdout) == (2, "")


def missing_file(folder: Path) -> None:
    (folder / "passerelle.toml").unlink()


def invalid_toml(folder: Path) -> None:
    (folder / "passerelle.toml").write_text('issuer = "https://auth.example.org\n')


def binary_file(folder: Path) -> None:
    (folder / "passerelle.toml").write_bytes(bytes(range(256)))


def folder_as_file(folder: Path) -> None:
    missing_file(folder)
    (folder / "passerelle.toml").mkdir()


def unreadable_file(folder: Path) -> None:
    (folder / "passerelle.toml").chmod(0)


def writable_by_all(folder: Path) -> None:
    (folder / "passerelle.toml").chmod(0o666)


def dangling_link(folder: Path) -> None:
    missing_file(folder)
    (folder / "passerelle.toml").symlink_to("nowhere")


def empty_file(folder: Path) -> None:
    (folder / "passerelle.toml").write_text("")


def wrong_types(folder: Path) -> None:
    file = folder / "passerelle.toml"
    file.write_text(file.read_text() + "workers = [1]\nclients = 3\n[attributes]\nmail = 1\n")


def missing_secret_key(folder: Path) -> None:
    (folder / "passerelle-secret-key").unlink()


SETTINGS_FAULTS: Mapping[Fault, str] = {
    missing_file: "PASSERELLE_ISSUER: is required",
    invalid_toml: "is not valid TOML",
    binary_file: "it is not UTF-8 text",
    folder_as_file: "Is a directory",
    unreadable_file: "Permission denied",
    writable_by_all: "is writable for all users",
    dangling_link: "No such file",
    empty_file: "PASSERELLE_ISSUER: is required",
    wrong_types: "PASSERELLE_WORKERS: must be a whole number",
    missing_secret_key: "PASSERELLE_SECRET_KEY_FILE: cannot read",
}


def fault_id(value: object) -> str:
    return getattr(value, "__name__", None) or row_id(value)


@pytest.mark.parametrize(
    ("path", "fault"),
    [*((READER, fault) for fault in SETTINGS_FAULTS), *((path, missing_file) for path in ROWS if path != READER)],
    ids=fault_id,
)
def test_invalid_settings_are_reported(path: tuple[str, ...], fault: Fault, starts: Start, folder: Path) -> None:
    row = ROWS[path]
    fault(folder)
    if not row.reads_settings:
        if path != ("hub",):
            assert starts(path, row.valid, stdin=row.stdin).wait().status == row.status
        return
    result = starts(path, row.valid, stdin=row.stdin).wait()
    result = replace(result, stdout=" ".join(result.stdout.split()))  # `check` wraps its lines
    assert_reports(result, row, SETTINGS_FAULTS[fault])


def missing_database_folder(folder: Path) -> None:
    file = folder / "passerelle.toml"
    file.write_text(file.read_text().replace("passerelle.sqlite3", "missing/passerelle.sqlite3"))


def other_file_format(folder: Path) -> None:
    (folder / "passerelle.sqlite3").write_bytes(b"not a database file " * 1000)


def corrupt_database(folder: Path) -> None:
    file = folder / "passerelle.sqlite3"
    content = file.read_bytes()
    file.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))


def read_only_database(folder: Path) -> None:
    (folder / "passerelle.sqlite3").chmod(0o444)
    folder.chmod(0o555)


def unreadable_database(folder: Path) -> None:
    (folder / "passerelle.sqlite3").chmod(0)


def folder_as_database(folder: Path) -> None:
    (folder / "passerelle.sqlite3").unlink()
    (folder / "passerelle.sqlite3").mkdir()


def unreachable_server(folder: Path) -> None:
    file = folder / "passerelle.toml"
    url = f"postgresql://bridge:its-pass-word@127.0.0.1:{free_port()}/bridge"
    file.write_text(file.read_text().replace("sqlite:///passerelle.sqlite3", url))


DATABASE_FAULTS: Mapping[Fault, str] = {
    missing_database_folder: "it must exist or be creatable",
    other_file_format: "restore a backup",
    corrupt_database: "restore a backup",
    read_only_database: "be writable",
    unreadable_database: "be writable",
    folder_as_database: "unable to open",
    unreachable_server: "Connection refused; start it",
}
DATABASE_COMMANDS = [path for path, row in ROWS.items() if row.reads_database]


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        *((READER, fault) for fault in DATABASE_FAULTS),
        *((path, unreachable_server) for path in DATABASE_COMMANDS if path != READER),
    ],
    ids=fault_id,
)
def test_unusable_database_is_reported(path: tuple[str, ...], fault: Fault, starts: Start, folder: Path) -> None:
    row = ROWS[path]
    fault(folder)
    result = starts(path, row.valid, stdin=row.stdin).wait()
    folder.chmod(0o755)
    assert_reports(result, row, "" if row.errors_on == "stdout" else DATABASE_FAULTS[fault])
    assert "its-pass-word" not in result.stdout + result.stderr
    if row.errors_on == "stderr":
        assert result.stdout == ""


@pytest.mark.needs("mounts")
@pytest.mark.parametrize("path", [path for path, row in ROWS.items() if row.writes or path == READER], ids=row_id)
def test_read_only_disk_is_reported(path: tuple[str, ...], starts: Start) -> None:
    row = ROWS[path]
    result = starts(path, row.valid, stdin=row.stdin, read_only_disk=True).wait()
    assert_reports(result, row)
    assert result.stdout == ""


@pytest.mark.parametrize("path", [path for path, row in ROWS.items() if row.writes], ids=row_id)
def test_full_disk_is_reported(path: tuple[str, ...], starts: Start) -> None:
    result = starts(path, ROWS[path].valid, stdin=ROWS[path].stdin, writable_bytes=2048).wait()
    assert_reports(result, ROWS[path])
    assert result.stdout == ""
