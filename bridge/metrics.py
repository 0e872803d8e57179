"""What Prometheus is told: sign-ins, refusals, tokens, how long CAS and we take.

Owns the names, the labels and the one trick: each worker process counts in files of a directory that all share, so
that whichever worker is asked answers with the sum. A worker takes a numbered place there and keeps it locked while
it lives; its successor takes the place over and counts on from where the files end. So a killed worker makes no
number go backwards, and files do not pile up. Every label has a closed set of values: none comes from a request.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import IO

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest, values
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

# The name is prometheus_client's; `passerelle serve` sets it for its workers.
SHARED_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
DIRECTORY_PREFIX = "passerelle-metrics-"
OWNER_LOCK = "serve.lock"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

CAS_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 8)
REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class Metrics:
    """The numbers of one worker, and of all when they share a directory."""

    def __init__(self, shared_directory: str | None = None) -> None:
        """Begin to count.

        :param shared_directory: where the workers of one bridge count together; None to count alone
        """
        self._directory = shared_directory
        self._place: IO[str] | None = None
        # prometheus_client wants the choice made before the first metric is; by itself it would ask the environment
        # when it is imported, which is too early here: the workers are forked from a process that has it already.
        values.ValueClass = values.MutexValue
        if shared_directory is not None:
            os.environ[SHARED_DIRECTORY] = shared_directory
            number, self._place = _take_place(Path(shared_directory))
            values.ValueClass = values.MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]  # the library leaves it untyped
        disable_created_metrics()  # type: ignore[no-untyped-call]  # twice the samples, of no use to a sum of workers
        self._registry = CollectorRegistry()
        self._sign_ins = Counter(
            "passerelle_sign_ins",
            "Tickets that came back from CAS, by what became of them.",
            ("outcome",),
            registry=self._registry,
        )
        self._refusals = Counter(
            "passerelle_refusals", "Requests that were refused, by reason.", ("reason",), registry=self._registry
        )
        self._tokens = Counter(
            "passerelle_token_responses",
            "Answers of the token endpoint: issued, or the error code.",
            ("grant_type", "outcome"),
            registry=self._registry,
        )
        self._single_logouts = Counter(
            "passerelle_single_logouts",
            "Logout requests of CAS, by whether they ended a session.",
            ("outcome",),
            registry=self._registry,
        )
        self._cas = Histogram(
            "passerelle_cas_validation_seconds",
            "How long CAS took to say whom a ticket stands for.",
            buckets=CAS_SECONDS,
            registry=self._registry,
        )
        self._requests = Histogram(
            "passerelle_request_seconds",
            "How long requests took, by endpoint and class of status.",
            ("endpoint", "status"),
            buckets=REQUEST_SECONDS,
            registry=self._registry,
        )

    def count_sign_in(self, outcome: str, seconds: float) -> None:
        """CAS was asked whom a ticket stands for.

        :param outcome: `signed_in`, or the reason why nobody is
        """
        self._sign_ins.labels(outcome).inc()
        self._cas.observe(seconds)

    def count_refusal(self, reason: str) -> None:
        """A request got no for an answer."""
        self._refusals.labels(reason).inc()

    def count_single_logout(self, outcome: str) -> None:
        """CAS said that a session is over.

        :param outcome: `ended`, `unknown` when it was none of ours or over before, `malformed`, `checked` when it was
            `passerelle check` that asked
        """
        self._single_logouts.labels(outcome).inc()

    def count_token_response(self, grant_type: str, outcome: str) -> None:
        """The token endpoint answered.

        :param grant_type: one that we know, or `other`
        :param outcome: `issued`, or an error code
        """
        self._tokens.labels(grant_type, outcome).inc()

    def observe_request(self, endpoint: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self._requests.labels(endpoint, f"{status // 100}xx").observe(seconds)

    def render(self, gauges: Mapping[str, tuple[str, int]]) -> bytes:
        """Everything, in the text format of Prometheus.

        :param gauges: name → (help, value) of what is counted in the store just now
        """
        registry = self._registry
        if self._directory is not None:
            registry = CollectorRegistry()
            MultiProcessCollector(registry, self._directory)  # type: ignore[no-untyped-call]  # likewise
        return generate_latest(registry) + generate_latest(_Now(gauges))


class _Now:
    """What is not counted but looked up, and which version this is."""

    def __init__(self, gauges: Mapping[str, tuple[str, int]]) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        for name, (documentation, value) in self._gauges.items():
            yield GaugeMetricFamily(f"passerelle_{name}", documentation, value)
        build = GaugeMetricFamily(
            "passerelle_build_info", "Which version runs, on which Python.", labels=("version", "python")
        )
        build.add_metric([version("passerelle"), platform.python_version()], 1)
        yield build


def open_shared_directory() -> tempfile.TemporaryDirectory[str]:
    """A directory for the workers of this process, and away with those of processes that were killed.

    Its lock is held as long as this process or a worker of it lives, and is there from the first moment on that
    others can see it: what has a lock that nobody holds is nobody's.
    """
    for lock in Path(tempfile.gettempdir()).glob(f"{DIRECTORY_PREFIX}*/{OWNER_LOCK}"):
        with suppress(OSError), lock.open() as left:
            fcntl.flock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent)
    directory = tempfile.TemporaryDirectory(prefix=DIRECTORY_PREFIX, ignore_cleanup_errors=True)
    beginning = Path(directory.name, "beginning")
    held = os.open(beginning, os.O_WRONLY | os.O_CREAT, 0o600)  # closed by the kernel, with the process
    fcntl.flock(held, fcntl.LOCK_EX)
    beginning.rename(Path(directory.name, OWNER_LOCK))
    return directory


def _take_place(directory: Path) -> tuple[int, IO[str]]:
    """The first place that no living worker holds. The kernel gives a dead worker's back."""
    for number in itertools.count():
        place = (directory / f"worker-{number}.lock").open("w")
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            place.close()
        else:
            return number, place
    raise AssertionError("there are numbers enough")
