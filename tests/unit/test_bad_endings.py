"""Output that cannot be written, and Ctrl-C: a command says so in a sentence, and its status is not 0."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.command_forks import Command
from tests.unit.command_rows import ENDING, ROWS, Row, assert_told, named


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
