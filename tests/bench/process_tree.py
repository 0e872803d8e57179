"""CPU time and memory of a process tree, read from /proc. Linux only."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
IDLE_POLL_SECONDS = 0.25


@dataclass(frozen=True)
class Memory:
    """Memory of a process tree."""

    mib: float
    kind: str
    """`PSS`: pages shared by n processes count 1/n in each; `RSS` where the kernel does not tell: counted n times."""
    processes: int


class ProcessTree:
    """A running process with its descendants."""

    def __init__(self, root: int) -> None:
        self.root = root

    def pids(self) -> list[int]:
        """Return the pids of the root and its descendants, zombies included."""
        children: dict[int, list[int]] = defaultdict(list)
        for entry in PROC.iterdir():
            if entry.name.isdecimal() and (fields := _stat(int(entry.name))):
                children[int(fields[1])].append(int(entry.name))
        found = [self.root]
        for pid in found:
            found.extend(children[pid])
        return found

    def cpu_seconds(self) -> float:
        """Return the user and system time of the tree in seconds, waited-for children included."""
        return sum(_own_cpu_seconds(pid) + _waited_cpu_seconds(pid) for pid in self.pids())

    def memory(self) -> Memory:
        """Return the current memory."""
        sizes = [size for pid in self.pids() if (size := _rollup_kib(pid))]
        shared = all("Pss" in size for size in sizes)
        kind = "Pss" if shared else "Rss"
        return Memory(sum(size[kind] for size in sizes) / 1024, kind.upper(), len(sizes))

    def wait_until_idle(self, limit_seconds: float = 20) -> None:
        """Wait until the tree is idle, so that its start is not counted as load.

        Raises:
            TimeoutError: The tree did not become idle.
        """
        end = time.monotonic() + limit_seconds
        before = self.cpu_seconds()
        while time.monotonic() < end:
            time.sleep(IDLE_POLL_SECONDS)
            now = self.cpu_seconds()
            if now - before < 0.02 * IDLE_POLL_SECONDS:
                return
            before = now
        raise TimeoutError(f"process {self.root} was still busy after {limit_seconds:g} s without any load")


def _own_cpu_seconds(pid: int) -> float:
    """Read the CPU clock of a process (clock_getcpuclockid(3)) in ns, because /proc has a resolution of 10 ms."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except (OSError, OverflowError):  # a zombie, or a kernel without these clocks
        fields = _stat(pid)
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND if fields else 0.0


def _waited_cpu_seconds(pid: int) -> float:
    fields = _stat(pid)
    return (int(fields[13]) + int(fields[14])) / TICKS_PER_SECOND if fields else 0.0


def _stat(pid: int) -> list[str]:
    """Return the fields of proc_pid_stat(5) from the third on; the second, a name, may contain any character."""
    try:
        return (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:  # the process has ended
        return []


def _rollup_kib(pid: int) -> dict[str, int]:
    """Return Pss and Rss in KiB; Rss only if the kernel does not expose Pss, and nothing for a zombie."""
    for name, labels in (("smaps_rollup", ("Pss", "Rss")), ("status", ("VmRSS",))):
        try:
            lines = (PROC / str(pid) / name).read_text().splitlines()
        except OSError:
            continue
        values = {line.partition(":")[0]: line.split()[1] for line in lines if line.endswith(" kB")}
        if found := {label.removeprefix("Vm").capitalize(): int(values[label]) for label in labels if label in values}:
            return found
    return {}
