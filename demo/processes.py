"""A tree of processes that ends whole: with its root, in order, leaving no one behind.

Each part is started in a session of its own, so that Ctrl-C in the terminal reaches the root alone, which then stops
the parts one after the other. On Linux the root also adopts what its parts leave behind (kernels of a lab, say), and
the parts are told to end should the root be killed outright.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # <sys/prctl.h>
LINES_TOLD = 25


@dataclass(frozen=True)
class Part:
    """One program of the tree."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    stop_within: float = 10


class Tree:
    """The parts that run, and the folder of their logs; without a folder they write where the root writes."""

    def __init__(self, logs: Path | None) -> None:
        self._logs = logs
        self._running: list[tuple[Part, subprocess.Popen[bytes]]] = []
        linux_prctl(PR_SET_CHILD_SUBREAPER, 1)

    def start(self, part: Part) -> None:
        """Start a part; what it prints goes to its log."""
        root = os.getpid()
        with open(self._logs / f"{part.name}.log" if self._logs else os.devnull, "ab") as log:  # noqa: PTH123
            process = subprocess.Popen(
                part.argv,
                env=dict(part.env),
                stdin=subprocess.DEVNULL,
                stdout=log if self._logs else None,
                stderr=log if self._logs else None,
                start_new_session=True,
                preexec_fn=lambda: end_with_parent(root),  # noqa: PLW1509  # the root has one thread
            )
        self._running.append((part, process))

    def ended(self) -> tuple[str, int] | None:
        """The name and exit code of a part that is no more, if there is one."""
        return next(((part.name, p.returncode) for part, p in self._running if p.poll() is not None), None)

    def reap(self) -> None:
        """Let go of adopted processes that ended: nobody else can."""
        parts = {process.pid for _, process in self._running}
        for child in psutil.Process().children():
            if child.pid not in parts:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(child.pid, os.WNOHANG)

    def last_words(self, name: str) -> str:
        """The end of a part's log."""
        if self._logs is None:
            return ""
        lines = (self._logs / f"{name}.log").read_text(errors="replace").splitlines()
        return "\n".join(f"  {name} | {line}" for line in lines[-LINES_TOLD:])

    def stop(self, hurry: Callable[[], bool]) -> None:
        """Stop the parts, the last one started first; then whatever any of them left behind."""
        for part, process in reversed(self._running):
            if process.poll() is None:
                process.terminate()
                wait_for(process, part.stop_within, hurry)
        self._running.clear()
        left = descendants()
        for stray in left:
            signal_quietly(stray, signal.SIGTERM)
        _, alive = psutil.wait_procs(left, timeout=0 if hurry() else 2)
        for stray in {*alive, *descendants()}:
            signal_quietly(stray, signal.SIGKILL)
        psutil.wait_procs(descendants(), timeout=5)


def wait_for(process: subprocess.Popen[bytes], seconds: float, hurry: Callable[[], bool]) -> None:
    """Wait for a part that was asked to end; end it by force once patience, ours or the user's, is over."""
    step = 0.1
    for _ in range(int(seconds / step)):
        if hurry():
            break
        try:
            process.wait(timeout=step)
        except subprocess.TimeoutExpired:
            continue
        return
    process.kill()
    process.wait()


def descendants() -> list[psutil.Process]:
    """Every process below this one, adopted ones included."""
    return psutil.Process().children(recursive=True)


def signal_quietly(process: psutil.Process, number: signal.Signals) -> None:
    """Send a signal to a process that may be gone by now."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def end_with_parent(parent: int) -> None:
    """In a new child: be told to stop when the parent dies, even if it is killed."""
    linux_prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)


def linux_prctl(option: int, value: int) -> None:
    """One of Linux's process switches; elsewhere nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def remove_leftovers(folders: Iterable[Path], is_ours: Callable[[Path], bool]) -> None:
    """Remove the folders of earlier demos that were killed before they could do so themselves."""
    for folder in folders:
        if is_ours(folder):
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":  # runs a program that somebody else starts, tied to its parent all the same
    end_with_parent(os.getppid())
    os.execvp(sys.argv[1], sys.argv[1:])
