"""Concurrent sign-ins: their durations, and the CPU time of the bridge's processes."""

from __future__ import annotations

import http.client
import math
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.bench.journey import STEPS, Line, SignIn, Step, StepFailedError
from tests.bench.process_tree import ProcessTree
from tests.bench.servers import Addresses

EXAMPLES_OF_ERRORS = 3


@dataclass
class Tally:
    """The results of a batch."""

    step_seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    cpu_seconds: float = 0.0
    elapsed_seconds: float = 0.0
    measuring_cpu_seconds: float = 0.0
    """CPU time of this process; together with that of the bridge it shows whether the cores were busy."""

    @property
    def count(self) -> int:
        return len(self.step_seconds) + len(self.errors)

    def figures(self) -> dict[str, float | int | list[str] | None]:
        """Return the figures for the report; CPU time is that of the process tree per attempt."""
        known = sorted(self.step_seconds)
        p95 = known[math.ceil(0.95 * len(known)) - 1] if known else None
        return {
            "count": self.count,
            "errors": len(self.errors),
            "examples_of_errors": sorted(set(self.errors))[:EXAMPLES_OF_ERRORS],
            "cpu_ms": round(1000 * self.cpu_seconds / max(self.count, 1), 3),
            "measuring_cpu_ms": round(1000 * self.measuring_cpu_seconds / max(self.count, 1), 3),
            "elapsed_ms_median": round(1000 * statistics.median(known), 3) if known else None,
            "elapsed_ms_p95": None if p95 is None else round(1000 * p95, 3),
            "per_second": round(len(known) / self.elapsed_seconds, 1) if self.elapsed_seconds else None,
        }


class Load:
    """A load on one bridge; each connection is used by one thread."""

    def __init__(self, addresses: Addresses, client_secret: str, tree: ProcessTree) -> None:
        self._addresses, self._client_secret, self._tree = addresses, client_secret, tree

    def sign_ins(self, count: int, *, connections: int, warm_ups: int) -> Tally:
        """Run complete sign-ins after an uncounted warm-up on the same connections."""
        with self._lines(connections) as lines:
            self._run(lines, [SignIn() for _ in range(max(warm_ups, connections))], STEPS)
            return self._run(lines, [SignIn() for _ in range(count)], STEPS)

    def steps(self, count: int, *, warm_ups: int) -> dict[str, Tally]:
        """Run the sign-ins step by step, and measure each step over all of them."""
        with self._lines(1) as lines:
            self._run(lines, [SignIn() for _ in range(max(warm_ups, 1))], STEPS)
            sign_ins = [SignIn() for _ in range(count)]
            tallies = {step.__name__: self._run(lines, sign_ins, (step,)) for step in (*STEPS, Line.healthz)}
        del tallies[Line.log_in_at_cas.__name__]  # its failures show up as failed callbacks
        return tallies

    @contextmanager
    def _lines(self, count: int) -> Iterator[list[Line]]:
        lines = [Line(self._addresses, self._client_secret) for _ in range(count)]
        try:
            yield lines
        finally:
            for line in lines:
                line.close()

    def _run(self, lines: Sequence[Line], sign_ins: Sequence[SignIn], steps: Sequence[Step]) -> Tally:
        tally = Tally()
        threads = [
            threading.Thread(target=_walk, args=(line, sign_ins[position :: len(lines)], steps, tally), daemon=True)
            for position, line in enumerate(lines)
        ]
        cpu_before, own_before, began = self._tree.cpu_seconds(), time.process_time(), time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        tally.elapsed_seconds = time.perf_counter() - began
        tally.measuring_cpu_seconds = time.process_time() - own_before
        tally.cpu_seconds = self._tree.cpu_seconds() - cpu_before
        return tally


def _walk(line: Line, sign_ins: Sequence[SignIn], steps: Sequence[Step], tally: Tally) -> None:
    for sign_in in sign_ins:
        sign_in.step_seconds = 0.0
        try:
            for step in steps:
                step(line, sign_in)
        except StepFailedError as error:
            tally.errors.append(str(error))
        except (OSError, http.client.HTTPException, KeyError, ValueError) as error:
            line.close()  # http.client reconnects for the next request
            tally.errors.append(f"{type(error).__name__} in place of an answer")
        else:
            tally.step_seconds.append(sign_in.step_seconds)
