"""Whatever is wrong around a command, it ends with a sentence and a status that is not 0, and without a traceback."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import pytest

from bridge.cli import main
from bridge.first_run.answers import Answers
from bridge.first_run.making import make, owner_named
from bridge.identity import Identity
from bridge.store import Session, SqlStore, fingerprint
from tests.support.command_forks import Call, Command, Ended
from tests.support.live_bridge import free_port
from tests.unit.command_rows import ROWS, Row, commands

Runs = Callable[..., Ended]
FOUND = dict(commands(main))
GROUPS = [(), *(path for path, command in FOUND.items() if isinstance(command, click.Group))]
# Which end by themselves, and need no container.
ENDING = {path: row for path, row in ROWS.items() if not row.runs_on and path != ("hub",)}
LONGEST_CHARS = 1500


@dataclass(frozen=True)
class Sound:
    """A folder with settings, keys, a client and somebody signed in; tests get copies."""

    folder: Path
    kid: str
    sid: str


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    folder = tmp_path_factory.mktemp("sound")
    answers = Answers(
        issuer="https://auth.example.org",
        cas_url="http://127.0.0.1:9/cas",
        folder=folder,
        data=folder,
        bind=f"127.0.0.1:{free_port()}",
        proxy_hops=1,
    )
    make(answers, owner_named(None))
    file = folder / "passerelle.toml"  # whose copies find their own database
    file.write_text(file.read_text().replace(f"{folder}/", ""))
    notes = tmp_path_factory.mktemp("notes")
    for words in (
        ["clients", "add", "Wiki", "--id", "wiki", "--redirect-uri", "https://w.example.org/cb"],
        ["keys", "rotate"],
    ):
        ended = Command(Call(words=words, folder=folder), notes).ends()
        assert ended.status == 0, ended.stderr
    store, now = SqlStore(f"sqlite:///{folder}/passerelle.sqlite3"), int(time.time())
    identity = Identity(subject="alice", username="alice")
    times = {"auth_time": now, "created_at": now, "expires_at": now + 3600}
    session = Session(sid="a-session", cookie_hash=fingerprint("cookie"), identity=identity, **times)
    store.sessions.begin(session, ticket_hash=fingerprint("ticket"))
    kid = max(store.keys.all(), key=lambda key: key.active_from).kid
    store.close()
    return Sound(folder, kid, session.sid)


@pytest.fixture
def folder(sound: Sound, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound.folder, tmp_path / "here"))


@pytest.fixture
def starts(sound: Sound, folder: Path, tmp_path: Path) -> Callable[..., Command]:
    """Starts a command in the copy."""

    def start(path: Sequence[str], words: Sequence[str], **surroundings: Any) -> Command:
        named = [word.format(kid=sound.kid, sid=sound.sid) for word in words]
        return Command(Call(words=[*path, *named], folder=folder, **surroundings), tmp_path / "notes")

    return start


def named(value: object) -> str:
    """A test's name says with which words, as far as they fit."""
    return " ".join(map(ascii, value))[:60] if isinstance(value, list | tuple) else str(value)


def assert_told(ended: Ended, row: Row, *, says: str = "") -> None:
    told = ended.stdout if row.tells_on == "stdout" and not ended.stderr else ended.stderr
    assert ended.status > 0, (ended.status, told)
    assert "Traceback" not in ended.stdout + ended.stderr, ended.stderr
    assert "Exception" not in ended.stderr, ended.stderr
    assert told.strip(), "it says nothing"
    assert len(ended.stderr) < LONGEST_CHARS, ended.stderr
    assert says in told, told


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
    a_value_of_another_kind: "PASSERELLE_WORKERS: ",
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


DATABASE_FAULTS = (
    *(no_database_folder, no_database, half_a_database, read_only_database),
    *(closed_folder, a_database_folder_instead, refusing_server),
)


@pytest.mark.parametrize("path", [path for path, row in ROWS.items() if row.reads_database], ids=named)
@pytest.mark.parametrize("fault", DATABASE_FAULTS, ids=lambda fault: fault.__name__)
def test_a_database_that_cannot_be_used_is_told(
    path: tuple[str, ...], fault: Callable[[Path], None], starts: Callable[..., Command], folder: Path
) -> None:
    row = ROWS[path]
    fault(folder)
    ended = starts(path, row.right, typed=row.typed).ends()
    folder.chmod(0o755)
    assert_told(ended, row)
    assert "its-pass-word" not in ended.stdout + ended.stderr
    if row.tells_on == "stderr":
        assert ended.stdout == ""


@pytest.mark.parametrize("path", [path for path, row in ROWS.items() if row.writes], ids=named)
def test_a_full_disk_is_told(path: tuple[str, ...], starts: Callable[..., Command]) -> None:
    ended = starts(path, ROWS[path].right, writable_bytes=64).ends()
    assert_told(ended, ROWS[path])
    assert ended.stdout == ""


@pytest.mark.parametrize("path", ENDING, ids=named)
@pytest.mark.parametrize("output", ["closed pipe", "full disk", "none"])
def test_an_answer_that_cannot_be_written_is_told(
    path: tuple[str, ...], output: str, starts: Callable[..., Command]
) -> None:
    row = ENDING[path]
    ended = starts(path, row.right, typed=row.typed, output=output).ends()
    assert_told(ended, replace(row, tells_on="stderr"), says="Error: the answer cannot be written: ")


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Takes calls and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("path", [path for path, row in ROWS.items() if row.reads_database or row.writes], ids=named)
def test_ctrl_c_ends_it_while_it_waits_for_the_database(
    path: tuple[str, ...], starts: Callable[..., Command], folder: Path, silent_port: int
) -> None:
    row = ROWS[path]
    (folder / "url").write_text(f"postgresql://bridge:its-pass-word@127.0.0.1:{silent_port}/bridge")
    more = ["--database-url-file", "url"] if path == ("init",) else []
    file = folder / "passerelle.toml"
    file.write_text(
        file.read_text().replace('database_url = "sqlite:///passerelle.sqlite3"', 'database_url_file = "url"')
    )
    running = starts(path, [*row.right, *more], typed=row.typed)
    time.sleep(0.15)
    assert not running.has_ended()
    running.interrupt()
    assert_told(running.ends(within=3), replace(row, tells_on="stderr"))


@pytest.mark.parametrize(
    ("path", "words"),
    [(("clients", "hash"), []), (("claims", "try"), ["--attributes", "-"]), (("clients", "remove"), ["wiki"])],
    ids=named,
)
def test_ctrl_c_ends_it_while_it_waits_to_be_told(
    path: tuple[str, ...], words: list[str], starts: Callable[..., Command]
) -> None:
    running = starts(path, words)
    time.sleep(0.1)
    assert not running.has_ended()
    running.interrupt()
    assert_told(running.ends(within=3), Row())


@pytest.mark.parametrize(
    "words",
    [
        ["check"],
        ["init", "--yes", "--folder", "new", "--issuer", "https://a.example", "--cas-url", "CAS"],
    ],
    ids=named,
)
def test_ctrl_c_ends_it_while_it_waits_for_cas(
    words: list[str], starts: Callable[..., Command], folder: Path, silent_port: int
) -> None:
    cas = f"http://127.0.0.1:{silent_port}/cas"
    file = folder / "passerelle.toml"
    file.write_text(file.read_text().replace("http://127.0.0.1:9/cas", cas))
    running = starts([], [cas if word == "CAS" else word for word in words])
    time.sleep(1 if "init" in words else 0.3)
    assert not running.has_ended()
    running.interrupt()
    assert_told(running.ends(within=3), Row())
