"""A process tree that ends completely and in order.

Each part runs in its own session, so that Ctrl-C in the terminal reaches only the root, which stops the parts in
order. On Linux the root adopts orphaned descendants (for example kernels of a lab), and the parts get a signal if the
root is killed.
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
LAST_LOG_LINES = 25


@dataclass(frozen=True)
class Part:
    """One program of the tree."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    stop_within: float = 10


class Tree:
    """The running parts; they log to files in a folder, or without a folder to the root's output."""

    def __init__(self, logs: Path | None) -> None:
        self._logs = logs
        self._running: list[tuple[Part, subprocess.Popen[bytes]]] = []
        linux_prctl(PR_SET_CHILD_SUBREAPER, 1)

    def start(self, part: Part) -> None:
        """Start a part with its output in its log."""
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
        """Return the name and exit code of a part that has ended, or None."""
        return next(((part.name, p.returncode) for part, p in self._running if p.poll() is not None), None)

    def reap(self) -> None:
        """Reap adopted processes that have ended."""
        parts = {process.pid for _, process in self._running}
        for child in psutil.Process().children():
            if child.pid not in parts:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(child.pid, os.WNOHANG)

    def last_log_lines(self, name: str) -> str:
        """Return the last lines of a part's log."""
        if self._logs is None:
            return ""
        lines = (self._logs / f"{name}.log").read_text(errors="replace").splitlines()
        return "\n".join(f"  {name} | {line}" for line in lines[-LAST_LOG_LINES:])

    def stop(self, hurry: Callable[[], bool]) -> None:
        """Stop the parts in reverse order, then their remaining descendants."""
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
    """Wait for a terminating part; kill it after a timeout or a second signal of the user."""
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
    """Return all descendants of this process, adopted ones included."""
    return psutil.Process().children(recursive=True)


def signal_quietly(process: psutil.Process, number: signal.Signals) -> None:
    """Send a signal to a process that may have ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def end_with_parent(parent: int) -> None:
    """Make a new child get SIGTERM when its parent ends, even if the parent is killed."""
    linux_prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # the parent ended before the call above
        os._exit(1)


def linux_prctl(option: int, value: int) -> None:
    """Call prctl(2) on Linux; do nothing elsewhere."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def remove_leftovers(folders: Iterable[Path], is_ours: Callable[[Path], bool]) -> None:
    """Remove the folders of earlier demos that were killed."""
    for folder in folders:
        if is_ours(folder):
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":  # wrapper for a program that another process starts
    end_with_parent(os.getppid())
    os.execvp(sys.argv[1], sys.argv[1:])
