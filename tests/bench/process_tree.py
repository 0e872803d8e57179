"""The meters: CPU and memory of a process and all its descendants, read from outside. Linux only."""

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
    """What a tree of processes occupies."""

    mib: float
    kind: str
    """`PSS`: pages shared by n processes count 1/n in each; `RSS` where the kernel does not tell: counted n times."""
    processes: int


class ProcessTree:
    """A process that is running, with its descendants."""

    def __init__(self, root: int) -> None:
        self.root = root

    def pids(self) -> list[int]:
        """The root and everything below it, zombies included."""
        children: dict[int, list[int]] = defaultdict(list)
        for entry in PROC.iterdir():
            if entry.name.isdecimal() and (fields := _stat(int(entry.name))):
                children[int(fields[1])].append(int(entry.name))
        found = [self.root]
        for pid in found:
            found.extend(children[pid])
        return found

    def cpu_seconds(self) -> float:
        """User and system time since each was started, with that of the children they have waited for."""
        return sum(_own_cpu_seconds(pid) + _waited_cpu_seconds(pid) for pid in self.pids())

    def memory(self) -> Memory:
        """At this moment."""
        sizes = [size for pid in self.pids() if (size := _rollup_kib(pid))]
        shared = all("Pss" in size for size in sizes)
        kind = "Pss" if shared else "Rss"
        return Memory(sum(size[kind] for size in sizes) / 1024, kind.upper(), len(sizes))

    def wait_until_idle(self, limit_seconds: float = 20) -> None:
        """Until whatever starts in the background has started: what it uses is not the load's.

        :raises TimeoutError: when it never rests
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
    """By the process's CPU clock (clock_getcpuclockid(3)), which counts nanoseconds; /proc counts in 10 ms."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except (OSError, OverflowError):  # a zombie, or a kernel without these clocks
        fields = _stat(pid)
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND if fields else 0.0


def _waited_cpu_seconds(pid: int) -> float:
    fields = _stat(pid)
    return (int(fields[13]) + int(fields[14])) / TICKS_PER_SECOND if fields else 0.0


def _stat(pid: int) -> list[str]:
    """The fields of proc_pid_stat(5) from the third on: the second, a name, may hold anything."""
    try:
        return (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:  # gone meanwhile
        return []


def _rollup_kib(pid: int) -> dict[str, int]:
    """Pss and Rss, or Rss alone where the kernel keeps the rest to itself; nothing of a zombie."""
    for name, labels in (("smaps_rollup", ("Pss", "Rss")), ("status", ("VmRSS",))):
        try:
            lines = (PROC / str(pid) / name).read_text().splitlines()
        except OSError:
            continue
        values = {line.partition(":")[0]: line.split()[1] for line in lines if line.endswith(" kB")}
        if found := {label.removeprefix("Vm").capitalize(): int(values[label]) for label in labels if label in values}:
            return found
    return {}
