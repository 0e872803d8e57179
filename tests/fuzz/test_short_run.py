"""A short run of the fuzzer, and its detection of faults. `make fuzz` is the long run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS, Target


@pytest.mark.parametrize("name", TARGETS)
def test_short_run_finds_nothing_cas8(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--seconds", "3", "--target", name]
    env = os.environ | {
        "FUZZ_CPU_SECONDS_MAX": "inf",
        "TMPDIR": str(tmp_path),
    }  # the process is killed, and cannot clean up
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=env)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert f"{name}: " in done.stdout


def test_every_endpoint_is_reached_with_small_and_large_input() -> None:
    for name in ("response", "logout"):
        target = TARGETS[name]()
        composed = [target.composed(bytes([first]) + b"x") for first in range(256)]
        assert {place for place in target.places for body in composed if body == place.replace(b"%s", b"x")} == set(
            target.places
        )
        assert max(map(len, composed)) > target.largest


def test_unexpected_exception_and_slow_parser_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(body: bytes) -> None:
        raise ValueError(body)

    with pytest.raises(ValueError, match="x"):
        Target(breaks, (b"%s",), 10)(b"\0x")
    monkeypatch.setattr("tests.fuzz.targets.time.thread_time", iter([0.0, 0.2]).__next__)
    with pytest.raises(AssertionError, match="200 ms of CPU"):
        Target(len, (b"%s",), 10)(b"\0x")
