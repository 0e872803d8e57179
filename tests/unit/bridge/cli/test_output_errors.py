"""Commands report output that cannot be written, and end on Ctrl-C with a non-zero status."""

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
from tests.unit.bridge.cli.command_table import ONE_SHOT, ROWS, Row, assert_reports, row_id
from tests.unit.bridge.first_run.test_init_terminal import until

READER = ("clients", "list")


@pytest.mark.parametrize(
    ("path", "output"),
    [*((READER, output) for output in ("full disk", "none")), *((path, "closed pipe") for path in ONE_SHOT)],
    ids=row_id,
)
def test_unwritable_output_is_reported(path: tuple[str, ...], output: str, starts: Callable[..., Command]) -> None:
    row = ONE_SHOT[path]
    result = starts(path, row.valid, stdin=row.stdin, output=output).wait()
    assert_reports(result, replace(row, errors_on="stderr"), "Error: cannot write the output: ")


LATIN = {"PYTHONIOENCODING": "latin-1"}  # as in a Latin-1 locale
ADD = ["clients", "add", "Wiki \u2603", "--recipe=grafana", "--url=https://grafana.example.org"]


def test_file_output_is_utf8_in_any_locale(folder: Path) -> None:
    def output(*words: str) -> bytes:
        return subprocess.run(
            [PASSERELLE, *words], cwd=folder, env={**clean_environment(), **LATIN}, check=True, capture_output=True
        ).stdout

    assert "── into /etc/grafana/grafana.ini ──" in output(*ADD).decode()
    assert "Wiki ☃" in [
        client["client_name"] for client in tomllib.loads(output("clients", "export").decode())["clients"]
    ]


def test_terminal_output_escapes_undisplayable_characters(folder: Path) -> None:
    here, there = pty.openpty()
    environment = {**clean_environment(), **LATIN}
    running = subprocess.Popen([PASSERELLE, *ADD], cwd=folder, env=environment, stdout=there, stderr=there)
    os.close(there)
    screen = until(here, "and restart Grafana.", "")
    assert running.wait(10) == 0, screen
    os.close(here)


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """Listen, without ever responding."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        yield server


@pytest.mark.parametrize("path", [path for path, row in ROWS.items() if row.reads_database or row.writes], ids=row_id)
def test_ctrl_c_while_waiting_for_database(
    path: tuple[str, ...], starts: Callable[..., Command], folder: Path, silent: socket.socket
) -> None:
    row = ROWS[path]
    (folder / "url").write_text(f"postgresql://bridge:its-pass-word@127.0.0.1:{silent.getsockname()[1]}/bridge")
    more = ["--database-url-file", "url"] if path == ("init",) else []
    file = folder / "passerelle.toml"
    file.write_text(
        file.read_text().replace('database_url = "sqlite:///passerelle.sqlite3"', 'database_url_file = "url"')
    )
    running = starts(path, [*row.valid, *more], stdin=row.stdin)
    with silent.accept()[0]:
        running.interrupt()
        ended = running.wait()
    assert_reports(ended, replace(row, errors_on="stderr"))


@pytest.mark.parametrize(
    ("path", "words"),
    [(("clients", "hash"), []), (("claims", "try"), ["--attributes", "-"]), (("clients", "remove"), ["wiki"])],
    ids=row_id,
)
def test_ctrl_c_while_waiting_for_input(
    path: tuple[str, ...], words: list[str], starts: Callable[..., Command]
) -> None:
    running = starts(path, words)
    time.sleep(0.1)
    assert not running.has_exited()
    running.interrupt()
    assert_reports(running.wait(3), Row())


@pytest.mark.parametrize(
    "words",
    [
        ["check"],
        ["init", "--yes", "--folder", "new", "--issuer", "https://a.example", "--cas-url", "CAS"],
    ],
    ids=row_id,
)
def test_ctrl_c_while_waiting_for_cas(
    words: list[str], starts: Callable[..., Command], folder: Path, silent: socket.socket
) -> None:
    cas = f"http://127.0.0.1:{silent.getsockname()[1]}/cas"
    file = folder / "passerelle.toml"
    file.write_text(file.read_text().replace("http://127.0.0.1:9/cas", cas))
    running = starts([], [cas if word == "CAS" else word for word in words])
    with silent.accept()[0]:
        running.interrupt()
        ended = running.wait()
    assert_reports(ended, Row())
