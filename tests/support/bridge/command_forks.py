"""The `passerelle` command in processes of their own, by the hundred: each is a fork of one that has imported it.

A child has real file descriptors, real signals and real permissions; it lacks nothing but the second that starting
Python takes.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Literal

from bridge.cli import main

SECONDS_MAX = 30
CAPABILITY_VERSION_3 = 0x20080522  # <linux/capability.h>
CLONE_NEWNS = 0x20000  # <sched.h>
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18  # <sys/mount.h>
Output = Literal["file", "closed pipe", "full disk", "none"]

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.support.bridge.command_forks_preload"])


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended. A negative status is the signal that killed it."""

    status: int
    stdout: str
    stderr: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Call:
    """One command, and what surrounds it."""

    words: Sequence[str]
    folder: Path
    """The working folder."""
    environment: Mapping[str, str] = field(default_factory=dict)
    typed: str | None = None
    """On standard input; None for one on which nothing ever comes."""
    output: Output = "file"
    read_only_disk: bool = False
    """Whether the working folder is on one; only root can make that so."""
    writable_bytes: int | None = None
    """How much fits into a file: a disk that is full."""


class Command:
    """A command that is running."""

    def __init__(self, call: Call, notes: Path) -> None:
        self._notes = notes
        notes.mkdir(parents=True, exist_ok=True)
        self._held: list[int] = []
        arguments = (call, str(notes))
        self._began = time.monotonic()
        self._process: ForkServerProcess = _context.Process(target=_run, args=arguments)
        self._process.start()

    def interrupt(self, how: int = signal.SIGINT) -> None:
        """One that has ended already is left in peace."""
        assert self._process.pid is not None
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, how)

    def waits_until(self, told: str) -> None:
        """Until it has said this on standard error."""
        deadline = time.monotonic() + SECONDS_MAX
        while told not in self._said("stderr"):
            assert self._process.is_alive(), self._said("stderr")
            assert time.monotonic() < deadline, self._said("stderr")
            time.sleep(0.01)

    def has_ended(self) -> bool:
        return not self._process.is_alive()

    def ends(self, within: float = SECONDS_MAX) -> Ended:
        self._process.join(within)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
            raise AssertionError(f"it goes on after {within} s: {self._said('stdout')}{self._said('stderr')}")
        status = self._process.exitcode
        assert status is not None
        return Ended(status, self._said("stdout"), self._said("stderr"), time.monotonic() - self._began)

    def _said(self, where: str) -> str:
        file = self._notes / where
        return file.read_text() if file.exists() else ""


def _run(call: Call, notes: str) -> None:
    """In the child."""
    os.setsid()
    os.environ.clear()
    os.environ.update({"PATH": "/nonexistent", "LANG": "C.UTF-8", **call.environment})  # no docker for `hub`
    _connect(call, Path(notes))
    if call.read_only_disk:
        _mount_read_only(call.folder)
    os.chdir(call.folder)
    _give_up_root_powers()
    if call.writable_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (call.writable_bytes, call.writable_bytes))
    main(list(call.words), prog_name="passerelle")


def _connect(call: Call, notes: Path) -> None:
    """Descriptors 0, 1 and 2, and Python's names for them."""
    reading, writing = os.pipe()
    if call.typed is not None:
        os.write(writing, call.typed.encode())
        os.close(writing)
    os.dup2(reading, 0)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  as long as the process
    errors = os.open(notes / "stderr", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    if call.output == "closed pipe":
        gone, output = os.pipe()
        os.close(gone)
    else:
        place = "/dev/full" if call.output == "full disk" else notes / "stdout"
        output = os.open(place, os.O_WRONLY | os.O_CREAT | (0 if call.output == "full disk" else os.O_TRUNC))
    sys.stdout.flush()
    os.dup2(output, 1)
    os.dup2(errors, 2)
    # As Python does when it starts, knowing what kind of file it is.
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115  as long as the process
    if call.output == "none":
        os.close(1)
        sys.stdout = None  # type: ignore[assignment]  # as Python does when it starts without


def _mount_read_only(folder: Path) -> None:
    """For this process alone."""
    libc, place = ctypes.CDLL(None, use_errno=True), os.fsencode(folder)
    if (
        libc.unshare(CLONE_NEWNS)
        or libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None)
        or libc.mount(place, place, None, MS_BIND, None)
        or libc.mount(None, place, None, MS_REMOUNT | MS_BIND | MS_RDONLY, None)
    ):
        raise OSError(ctypes.get_errno(), "mount")


def _give_up_root_powers() -> None:
    """Tests may run as root, whom file permissions would not stop."""
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(header, nothing):
        raise OSError(ctypes.get_errno(), "capset")
