"""The measurement: memory with one worker, start-up time, memory with the default workers, load."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.bench import report
from tests.bench.load import Load
from tests.bench.servers import Addresses, Installation, RunningBridge, running_bridge, running_cas

REST_SECONDS = 1.0


@dataclass(frozen=True)
class Counts:
    """Sizes of the batches."""

    sign_ins: int
    warm_ups: int
    parallel: int
    starts: int


def measure(counts: Counts) -> dict[str, Any]:
    """Run the whole measurement with its own CAS and bridges.

    Raises:
        CannotMeasureError: A server did not start.
        TimeoutError: A server did not become idle.
    """
    facts = report.machine()
    with tempfile.TemporaryDirectory(prefix="passerelle-bench-") as name, running_cas(Path(name)) as cas_url:
        folder = Path(name)
        progress("memory with one worker")
        with running_bridge(Installation.new(folder / "one", cas_url), {"PASSERELLE_WORKERS": "1"}) as bridge:
            at_rest = [_at_rest(bridge, workers="1")]
        cold: list[RunningBridge] = []
        warm: list[RunningBridge] = []
        for turn in range(1, counts.starts):
            progress(f"time to ready, {turn} of {counts.starts}")
            installation = Installation.new(folder / str(turn), cas_url)
            for starts in (cold, warm):
                with running_bridge(installation, {}) as bridge:
                    starts.append(bridge)
        progress(f"time to ready, {counts.starts} of {counts.starts}")
        installation = Installation.new(folder / "load", cas_url)
        with running_bridge(installation, {}) as bridge:
            cold.append(bridge)
        with running_bridge(installation, {}) as bridge:
            warm.append(bridge)
            at_rest.append(_at_rest(bridge, workers="default"))
            load = Load(Addresses(bridge.url, cas_url), installation.client_secret, bridge.tree)
            loaded = _under_load(load, counts) | {"after_load": _memory(bridge)}
        if any(figures["errors"] for figures in (*loaded["sign_in"], *loaded["steps"].values())):
            progress(f"some steps failed; the end of the bridge's log:\n{installation.end_of_log()}")
    ready = {"cold": _starts(cold), "warm": _starts(warm)}
    return {"machine": facts, "options": asdict(counts), **loaded, "ready": ready, "at_rest": at_rest}


def progress(text: str) -> None:
    """Print progress to standard error."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def _under_load(load: Load, counts: Counts) -> dict[str, Any]:
    sign_in = []
    for connections in dict.fromkeys((1, counts.parallel)):
        progress(f"{counts.sign_ins} sign-ins, connections: {connections}")
        tally = load.sign_ins(counts.sign_ins, connections=connections, warm_ups=counts.warm_ups)
        sign_in.append({"connections": connections, **tally.figures()})
    progress(f"{counts.sign_ins} sign-ins, step by step")
    steps = load.steps(counts.sign_ins, warm_ups=counts.warm_ups)
    return {"sign_in": sign_in, "steps": {name: tally.figures() for name, tally in steps.items()}}


def _at_rest(bridge: RunningBridge, *, workers: str) -> dict[str, Any]:
    bridge.tree.wait_until_idle()
    before = bridge.tree.cpu_seconds()
    time.sleep(REST_SECONDS)
    used = (bridge.tree.cpu_seconds() - before) / REST_SECONDS
    return {"workers": workers, "cpu_ms_per_second": round(1000 * used, 2), **_memory(bridge)}


def _memory(bridge: RunningBridge) -> dict[str, Any]:
    memory = bridge.tree.memory()
    return {"mib": round(memory.mib, 1), "kind": memory.kind, "processes": memory.processes}


def _starts(bridges: Sequence[RunningBridge]) -> dict[str, Any]:
    elapsed = [bridge.ready_seconds for bridge in bridges]
    return {
        "count": len(bridges),
        "elapsed_ms_median": round(1000 * statistics.median(elapsed), 1),
        "elapsed_ms_max": round(1000 * max(elapsed), 1),
        "cpu_ms_median": round(1000 * statistics.median(bridge.ready_cpu_seconds for bridge in bridges), 1),
    }
