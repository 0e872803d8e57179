"""The `passerelle` command in forked processes, for hundreds of runs.

Each process is a fork of one that has imported the command. It has real file descriptors, signals and permissions, but
saves the second that a start of Python takes.
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
class CommandResult:
    """Outcome of a command. A negative status is the signal that killed it."""

    status: int
    stdout: str
    stderr: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Call:
    """A command line and its environment."""

    words: Sequence[str]
    folder: Path
    """Working folder."""
    environment: Mapping[str, str] = field(default_factory=dict)
    stdin: str | None = None
    """Content of standard input; None for one that stays open and empty."""
    output: Output = "file"
    read_only_disk: bool = False
    """Mount the working folder read-only, which requires root."""
    writable_bytes: int | None = None
    """Maximum file size, which simulates a full disk."""


class Command:
    """A running command."""

    def __init__(self, call: Call, notes: Path) -> None:
        self._notes = notes
        notes.mkdir(parents=True, exist_ok=True)
        self._held: list[int] = []
        arguments = (call, str(notes))
        self._began = time.monotonic()
        self._process: ForkServerProcess = _context.Process(target=_run, args=arguments)
        self._process.start()

    def interrupt(self, how: int = signal.SIGINT) -> None:
        """Send a signal, unless the command has exited."""
        assert self._process.pid is not None
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, how)

    def wait_for_stderr(self, text: str) -> None:
        """Wait until a text is on standard error."""
        deadline = time.monotonic() + SECONDS_MAX
        while text not in self._read("stderr"):
            assert self._process.is_alive(), self._read("stderr")
            assert time.monotonic() < deadline, self._read("stderr")
            time.sleep(0.01)

    def has_exited(self) -> bool:
        return not self._process.is_alive()

    def wait(self, within: float = SECONDS_MAX) -> CommandResult:
        self._process.join(within)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
            raise AssertionError(f"still running after {within} s: {self._read('stdout')}{self._read('stderr')}")
        status = self._process.exitcode
        assert status is not None
        return CommandResult(status, self._read("stdout"), self._read("stderr"), time.monotonic() - self._began)

    def _read(self, stream: str) -> str:
        file = self._notes / stream
        return file.read_text() if file.exists() else ""


def _run(call: Call, notes: str) -> None:
    """Run the command in the child process."""
    os.setsid()
    os.environ.clear()
    os.environ.update({"PATH": "/nonexistent", "LANG": "C.UTF-8", **call.environment})  # no docker for `hub`
    _connect(call, Path(notes))
    if call.read_only_disk:
        _mount_read_only(call.folder)
    os.chdir(call.folder)
    _drop_capabilities()
    if call.writable_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (call.writable_bytes, call.writable_bytes))
    main(list(call.words), prog_name="passerelle")


def _connect(call: Call, notes: Path) -> None:
    """Set up the file descriptors 0, 1 and 2 and their Python objects."""
    reading, writing = os.pipe()
    if call.stdin is not None:
        os.write(writing, call.stdin.encode())
        os.close(writing)
    os.dup2(reading, 0)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  as long as the process
    errors = os.open(notes / "stderr", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    if call.output == "closed pipe":
        reader, output = os.pipe()
        os.close(reader)
    else:
        target = "/dev/full" if call.output == "full disk" else notes / "stdout"
        output = os.open(target, os.O_WRONLY | os.O_CREAT | (0 if call.output == "full disk" else os.O_TRUNC))
    sys.stdout.flush()
    os.dup2(output, 1)
    os.dup2(errors, 2)
    # Reopened, because Python chooses buffering by the kind of file.
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115  as long as the process
    if call.output == "none":
        os.close(1)
        sys.stdout = None  # type: ignore[assignment]  # as in a Python started without it


def _mount_read_only(folder: Path) -> None:
    """Remount a folder read-only in the mount namespace of this process."""
    libc, path = ctypes.CDLL(None, use_errno=True), os.fsencode(folder)
    if (
        libc.unshare(CLONE_NEWNS)
        or libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None)
        or libc.mount(path, path, None, MS_BIND, None)
        or libc.mount(None, path, None, MS_REMOUNT | MS_BIND | MS_RDONLY, None)
    ):
        raise OSError(ctypes.get_errno(), "mount")


def _drop_capabilities() -> None:
    """Drop all capabilities, because root ignores file permissions."""
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    no_capabilities = (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(header, no_capabilities):
        raise OSError(ctypes.get_errno(), "capset")
