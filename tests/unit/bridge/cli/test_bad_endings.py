"""Output that cannot be written, and Ctrl-C: a command says so in a sentence, and its status is not 0."""

from __future__ import annotations

import os
import pty
import socket
import subprocess
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.bridge.command_forks import Command
from tests.support.bridge.live_bridge import PASSERELLE, clean_environment
from tests.unit.bridge.cli.command_rows import ENDING, ROWS, Row, assert_told, named
from tests.unit.bridge.first_run.test_first_run_at_a_terminal import until


@pytest.mark.parametrize("path", ENDING, ids=named)
@pytest.mark.parametrize("output", ["closed pipe", "full disk", "none"])
def test_an_answer_that_cannot_be_written_is_told(
    path: tuple[str, ...], output: str, starts: Callable[..., Command]
) -> None:
    row = ENDING[path]
    ended = starts(path, row.right, typed=row.typed, output=output).ends()
    assert_told(ended, replace(row, tells_on="stderr"), says="Error: the answer cannot be written: ")


LATIN = {"PYTHONIOENCODING": "latin-1"}  # as a locale of that kind has it, which few machines still have
ADD = ["clients", "add", "Wiki \u2603", "--recipe=grafana", "--url=https://grafana.example.org"]


def test_a_file_gets_all_of_it_in_utf_8_whatever_the_locale(folder: Path) -> None:
    def told(*words: str) -> bytes:
        return subprocess.run(
            [PASSERELLE, *words], cwd=folder, env={**clean_environment(), **LATIN}, check=True, capture_output=True
        ).stdout

    assert "── into /etc/grafana/grafana.ini ──" in told(*ADD).decode()
    assert "Wiki ☃" in [
        client["client_name"] for client in tomllib.loads(told("clients", "export").decode())["clients"]
    ]


def test_a_terminal_that_cannot_show_a_letter_shows_its_number(folder: Path) -> None:
    here, there = pty.openpty()
    environment = {**clean_environment(), **LATIN}
    running = subprocess.Popen([PASSERELLE, *ADD], cwd=folder, env=environment, stdout=there, stderr=there)
    os.close(there)
    screen = until(here, "and restart Grafana.", "")
    assert running.wait(10) == 0, screen
    os.close(here)


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
