"""The questions of `passerelle init` at a terminal."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from bridge.settings import load
from tests.support.bridge.live_bridge import PASSERELLE, clean_environment


def test_terminal_asks_five_questions_and_repeats_invalid(tmp_path: Path) -> None:
    here, there = pty.openpty()
    running = subprocess.Popen(
        [PASSERELLE, "init", "--no-check"],
        cwd=tmp_path,
        env=clean_environment(),
        stdin=there,
        stdout=there,
        stderr=there,
    )
    answers = [
        ("Public URL: ", "http://auth.example.org"),
        ("must be https", ""),
        ("Public URL: ", "https://auth.example.org"),
        ("CAS URL: ", "https://sso.example.org/cas/login"),
        ("remove /login", ""),
        ("CAS URL: ", "https://sso.example.org/cas/"),
        (f"Data folder [{tmp_path}]: ", "postgresql://me:secret@db/bridge"),
        ("--database-url-file", ""),
        (f"Data folder [{tmp_path}]: ", "data"),
        ("Listen on [127.0.0.1:8000]: ", "\n"),
        ("Proxies [1]: ", "2"),
        ("passerelle serve", ""),
    ]
    screen = ""
    for awaited, answer in answers:
        screen = until(here, awaited, screen)
        if answer:
            os.write(here, answer.encode() + (b"" if answer == "\n" else b"\n"))
    assert running.wait(10) == 0
    os.close(here)
    os.close(there)
    settings = load({}, [tmp_path / "passerelle.toml"])
    assert (settings.issuer, settings.cas_url) == ("https://auth.example.org", "https://sso.example.org/cas")
    assert (settings.bind, settings.proxy_hops) == ("127.0.0.1:8000", 2)
    assert (tmp_path / "data" / "passerelle.sqlite3").exists()


def test_ctrl_c_at_a_question_changes_nothing(tmp_path: Path) -> None:
    here, there = pty.openpty()
    running = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import os, sys; os.login_tty(0); os.execv(sys.argv[1], sys.argv[1:])",
            PASSERELLE,
            "init",
        ],
        cwd=tmp_path,
        env=clean_environment(),
        stdin=there,
        start_new_session=True,
    )
    os.close(there)
    screen = until(here, "Public URL: ", "")
    os.write(here, b"https://auth.example.org\n")
    until(here, "CAS URL: ", screen.partition("Public URL: ")[2])
    for _ in range(4):  # a key pressed before Python reads is delivered with the next one
        time.sleep(0.3)
        os.write(here, b"\x03")
        with suppress(subprocess.TimeoutExpired):
            running.wait(5)
            break
    assert running.wait(1) == 1
    os.close(here)
    assert list(tmp_path.iterdir()) == []


def until(terminal: int, awaited: str, screen: str) -> str:
    """Return the screen after a text, once it appears."""
    deadline = time.monotonic() + 20
    while awaited not in screen:
        assert time.monotonic() < deadline, f"{awaited!r} does not come: {screen!r}"
        if select.select([terminal], [], [], 0.2)[0]:
            screen += os.read(terminal, 65536).decode().replace("\r\n", "\n")
    return screen.partition(awaited)[2]
