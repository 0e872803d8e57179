"""Prometheus metrics of all worker processes.

The workers count in files of a shared directory, so that any of them can report the sum. Each worker locks a numbered
slot there. Its successor takes over the slot and continues the counters, so a killed worker never lowers a number and
files do not accumulate. Every label has a fixed set of values; none comes from a request.
"""

import fcntl
import itertools
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import IO

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    values,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

# Read by prometheus_client; `passerelle serve` sets it for its workers.
SHARED_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
DIRECTORY_PREFIX = "passerelle-metrics-"
OWNER_LOCK = "serve.lock"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

CAS_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 8)
REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class Metrics:
    """The metrics of a worker, or of all workers that share a directory."""

    def __init__(self, shared_directory: str | None = None) -> None:
        """Create the counters; without `shared_directory` they count this process alone."""
        self._directory = shared_directory
        self._slot: IO[str] | None = None
        # prometheus_client chooses its storage on import, by the environment. That is too early here, because workers
        # are forked from a process that has imported it.
        values.ValueClass = values.MutexValue
        if shared_directory is not None:
            os.environ[SHARED_DIRECTORY] = shared_directory
            number, self._slot = _lock_slot(Path(shared_directory))
            values.ValueClass = values.MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]  # untyped library
        disable_created_metrics()  # type: ignore[no-untyped-call]  # doubles the samples, meaningless for a sum of workers
        registry = self._registry = CollectorRegistry()
        self.sign_ins = Counter("passerelle_sign_ins", "Validated tickets by outcome.", ("outcome",), registry=registry)
        """Outcomes are `signed_in` and the reasons of failures."""
        self.refusals = Counter("passerelle_refusals", "Rejected requests by reason.", ("reason",), registry=registry)
        self.token_responses = Counter(
            "passerelle_token_responses",
            "Responses of the token endpoint by grant type and outcome.",
            ("grant_type", "outcome"),
            registry=registry,
        )
        """Grant types are the known ones and `other`; outcomes are `issued` and the error codes."""
        self.single_logouts = Counter(
            "passerelle_single_logouts", "Logout requests of CAS by outcome.", ("outcome",), registry=registry
        )
        """Outcomes are `ended`, `unknown`, `malformed`, and `checked` for `passerelle check`."""
        self.cas_seconds = Histogram(
            "passerelle_cas_validation_seconds",
            "Duration of ticket validations.",
            buckets=CAS_SECONDS,
            registry=registry,
        )
        self.cas_not_responding = Gauge(
            "passerelle_cas_not_responding",
            "Workers that reject sign-ins because their last requests to CAS timed out.",
            registry=registry,
            multiprocess_mode="sum",
        )
        self.cas_not_responding.set(0)  # the slot of a killed worker keeps its value
        self.request_seconds = Histogram(
            "passerelle_request_seconds",
            "Duration of requests by endpoint and status class.",
            ("endpoint", "status"),
            buckets=REQUEST_SECONDS,
            registry=registry,
        )

    def render(self, gauges: Mapping[str, tuple[str, int]]) -> bytes:
        """Return all metrics in the text format, with gauges from the store as name → (help, value)."""
        registry = self._registry
        if self._directory is not None:
            registry = CollectorRegistry()
            MultiProcessCollector(registry, self._directory)  # type: ignore[no-untyped-call]  # untyped library
        return generate_latest(registry) + generate_latest(_CurrentValues(gauges))


@dataclass
class _CurrentValues:
    """Gauges, and the version of this program."""

    gauges: Mapping[str, tuple[str, int]]

    def collect(self) -> Iterator[Metric]:
        for name, (documentation, value) in self.gauges.items():
            yield GaugeMetricFamily(f"passerelle_{name}", documentation, value)
        build = GaugeMetricFamily(
            "passerelle_build_info", "Version of Passerelle and of Python.", labels=("version", "python")
        )
        build.add_metric([version("passerelle"), platform.python_version()], 1)
        yield build


def open_shared_directory() -> tempfile.TemporaryDirectory[str]:
    """Create the directory for the workers, and delete those of dead processes.

    This process and its workers lock a file in it while they run. The lock is held before the directory is visible,
    so a directory with a free lock belongs to no process.
    """
    for lock in Path(tempfile.gettempdir()).glob(f"{DIRECTORY_PREFIX}*/{OWNER_LOCK}"):
        with suppress(OSError), lock.open() as left:
            fcntl.flock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent)
    directory = tempfile.TemporaryDirectory(prefix=DIRECTORY_PREFIX, ignore_cleanup_errors=True)
    draft_lock = Path(directory.name, "beginning")
    held = os.open(draft_lock, os.O_WRONLY | os.O_CREAT, 0o600)  # closed by the kernel, with the process
    fcntl.flock(held, fcntl.LOCK_EX)
    draft_lock.rename(Path(directory.name, OWNER_LOCK))
    return directory


def _lock_slot(directory: Path) -> tuple[int, IO[str]]:
    """Lock the first free slot. The kernel releases the slot of a dead worker."""
    for number in itertools.count():
        slot = (directory / f"worker-{number}.lock").open("w")
        try:
            fcntl.flock(slot, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            slot.close()
        else:
            return number, slot
    raise AssertionError("unreachable: itertools.count is endless")
