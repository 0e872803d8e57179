"""Whatever is wrong around a command, it ends with a sentence and a status that is not 0, and without a traceback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
import pytest

from bridge.cli import main
from tests.support.bridge.command_forks import Command
from tests.support.bridge.live_bridge import free_port
from tests.unit.bridge.cli.command_rows import ENDING, ROWS, Row, assert_told, commands, named

FOUND = dict(commands(main))
GROUPS = [(), *(path for path, command in FOUND.items() if isinstance(command, click.Group))]


def test_every_command_has_a_row_and_every_row_a_command() -> None:
    assert set(ROWS) == {path for path, command in FOUND.items() if not isinstance(command, click.Group)}


@pytest.mark.parametrize("path", ENDING, ids=named)
def test_with_nothing_wrong_it_does_its_work(path: tuple[str, ...], starts: Callable[..., Command]) -> None:
    """Or the rest of this file would show nothing."""
    row = ENDING[path]
    ended = starts(path, row.right, typed=row.typed).ends()
    assert (ended.status, "Traceback" in ended.stderr) == (row.status, False), ended.stderr
    assert ended.stdout


@pytest.mark.parametrize("path", GROUPS, ids=named)
@pytest.mark.parametrize("words", [[], ["no-such-command"], ["--no-such-option"], [""]], ids=named)
def test_a_group_without_a_command_that_it_knows_says_how_it_is_used(
    path: tuple[str, ...], words: list[str], starts: Callable[..., Command]
) -> None:
    ended = starts(path, words).ends()
    assert_told(ended, Row())
    assert (ended.status, ended.stdout) == (2, "")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (path, words)
        for path, row in ROWS.items()
        for words in [*row.wrong, *([] if row.takes_options_for_names else [["--no-such-option"]])]
    ],
    ids=named,
)
def test_wrong_words_are_told_before_anything_is_done(
    path: tuple[str, ...], words: list[str], starts: Callable[..., Command], folder: Path
) -> None:
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    ended = starts(path, words, typed="").ends()
    assert_told(ended, Row())
    assert (ended.status, ended.stdout) == (2, "")
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("path", "words"), [(path, words) for path, row in ROWS.items() for words in row.refused], ids=named
)
def test_what_cannot_be_done_is_told(path: tuple[str, ...], words: list[str], starts: Callable[..., Command]) -> None:
    row = ROWS[path]
    ended = starts(path, words, typed=row.typed or "").ends()
    assert_told(ended, row)
    assert (ended.status, ended.stdout) == (1, "")


@pytest.mark.parametrize("path", [*GROUPS, *ROWS], ids=named)
def test_bytes_that_are_no_text_are_told(path: tuple[str, ...], starts: Callable[..., Command]) -> None:
    ended = starts(path, ["\udcff"]).ends()  # what Python makes of them in the words of a command
    assert_told(ended, Row(), says="not UTF-8")
    assert (ended.status, ended.stdout) == (2, "")


def no_file(folder: Path) -> None:
    (folder / "passerelle.toml").unlink()


def no_toml(folder: Path) -> None:
    (folder / "passerelle.toml").write_text('issuer = "https://auth.example.org\n')


def no_text(folder: Path) -> None:
    (folder / "passerelle.toml").write_bytes(bytes(range(256)))


def a_folder_instead(folder: Path) -> None:
    no_file(folder)
    (folder / "passerelle.toml").mkdir()


def unreadable(folder: Path) -> None:
    (folder / "passerelle.toml").chmod(0)


def writable_by_all(folder: Path) -> None:
    (folder / "passerelle.toml").chmod(0o666)


def a_link_to_nowhere(folder: Path) -> None:
    no_file(folder)
    (folder / "passerelle.toml").symlink_to("nowhere")


def nothing_in_it(folder: Path) -> None:
    (folder / "passerelle.toml").write_text("")


def a_value_of_another_kind(folder: Path) -> None:
    file = folder / "passerelle.toml"
    file.write_text(file.read_text() + "workers = [1]\nclients = 3\n[attributes]\nmail = 1\n")


def no_secret_key_file(folder: Path) -> None:
    (folder / "passerelle-secret-key").unlink()


SETTINGS_FAULTS = {
    no_file: "PASSERELLE_ISSUER: is required and absent",
    no_toml: "is not TOML",
    no_text: "it is not UTF-8 text",
    a_folder_instead: "Is a directory",
    unreadable: "Permission denied",
    writable_by_all: "can be changed by everybody",
    a_link_to_nowhere: "No such file",
    nothing_in_it: "PASSERELLE_ISSUER: is required and absent",
    a_value_of_another_kind: "PASSERELLE_WORKERS: must be a whole number",
    no_secret_key_file: "PASSERELLE_SECRET_KEY_FILE: cannot read",
}


@pytest.mark.parametrize("path", ROWS, ids=named)
@pytest.mark.parametrize("fault", SETTINGS_FAULTS, ids=lambda fault: fault.__name__)
def test_settings_that_cannot_be_read_are_told(
    path: tuple[str, ...], fault: Callable[[Path], None], starts: Callable[..., Command], folder: Path
) -> None:
    row = ROWS[path]
    fault(folder)
    if not row.reads_settings:
        if path != ("hub",):
            assert starts(path, row.right, typed=row.typed).ends().status == row.status
        return
    ended = starts(path, row.right, typed=row.typed).ends()
    # What check says is wrapped, so that a sentence may be broken anywhere.
    ended = replace(ended, stdout=" ".join(ended.stdout.split()))
    assert_told(ended, row, says=SETTINGS_FAULTS[fault])


def no_database_folder(folder: Path) -> None:
    file = folder / "passerelle.toml"
    file.write_text(file.read_text().replace("passerelle.sqlite3", "missing/passerelle.sqlite3"))


def no_database(folder: Path) -> None:
    (folder / "passerelle.sqlite3").write_bytes(b"a letter to my aunt " * 1000)


def half_a_database(folder: Path) -> None:
    file = folder / "passerelle.sqlite3"
    content = file.read_bytes()
    file.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))


def read_only_database(folder: Path) -> None:
    (folder / "passerelle.sqlite3").chmod(0o444)
    folder.chmod(0o555)


def closed_folder(folder: Path) -> None:
    (folder / "passerelle.sqlite3").chmod(0)


def a_database_folder_instead(folder: Path) -> None:
    (folder / "passerelle.sqlite3").unlink()
    (folder / "passerelle.sqlite3").mkdir()


def refusing_server(folder: Path) -> None:
    """PostgreSQL's port, where nobody is."""
    file = folder / "passerelle.toml"
    url = f"postgresql://bridge:its-pass-word@127.0.0.1:{free_port()}/bridge"
    file.write_text(file.read_text().replace("sqlite:///passerelle.sqlite3", url))


DATABASE_FAULTS = {
    no_database_folder: "it must exist or be creatable",
    no_database: "restore a backup",
    half_a_database: "restore a backup",
    read_only_database: "be writable",
    closed_folder: "be writable",
    a_database_folder_instead: "unable to open",
    refusing_server: "Connection refused; start it",
}


@pytest.mark.parametrize("path", [path for path, row in ROWS.items() if row.reads_database], ids=named)
@pytest.mark.parametrize("fault", DATABASE_FAULTS, ids=lambda fault: fault.__name__)
def test_a_database_that_cannot_be_used_is_told(
    path: tuple[str, ...], fault: Callable[[Path], None], starts: Callable[..., Command], folder: Path
) -> None:
    row = ROWS[path]
    fault(folder)
    ended = starts(path, row.right, typed=row.typed).ends()
    folder.chmod(0o755)
    assert_told(ended, row, says="" if row.tells_on == "stdout" else DATABASE_FAULTS[fault])
    assert "its-pass-word" not in ended.stdout + ended.stderr
    if row.tells_on == "stderr":
        assert ended.stdout == ""


@pytest.mark.needs("mounts")
@pytest.mark.parametrize("path", [path for path, row in ROWS.items() if row.reads_database or row.writes], ids=named)
def test_a_read_only_disk_is_told(path: tuple[str, ...], starts: Callable[..., Command]) -> None:
    row = ROWS[path]
    ended = starts(path, row.right, typed=row.typed, read_only_disk=True).ends()
    assert_told(ended, row)
    if row.tells_on == "stderr":
        assert ended.stdout == ""


@pytest.mark.parametrize("path", [path for path, row in ROWS.items() if row.writes], ids=named)
def test_a_full_disk_is_told(path: tuple[str, ...], starts: Callable[..., Command]) -> None:
    ended = starts(path, ROWS[path].right, typed=ROWS[path].typed, writable_bytes=2048).ends()
    assert_told(ended, ROWS[path])
    assert ended.stdout == ""
