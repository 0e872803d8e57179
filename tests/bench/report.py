"""The report: a table to read and a JSON file for comparisons."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tests.bench.servers import ROOT

FORMAT = 1
PACKAGES = ("flask", "granian", "sqlalchemy", "joserfc", "cryptography")
HEADS = (
    ("", "CPU ms", "ms", "ms", "", "memory", "", ""),
    ("", "each", "median", "p95", "per s", "MiB", "count", "errors"),
)

Cells = tuple[Any, ...]


def machine() -> dict[str, Any]:
    """Describe the machine without host names and paths."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load_before": round(os.getloadavg()[0], 2),
        "commit": _commit(),
        "packages": {name: _version(name) for name in PACKAGES},
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def write_json(path: Path, results: Mapping[str, Any]) -> None:
    path.write_text(json.dumps({"format": FORMAT, **results}, indent=2) + "\n", encoding="utf-8")


def table(results: Mapping[str, Any]) -> str:
    """Return the aligned table; an empty cell was not measured."""
    rows = [*HEADS, *(tuple(_cell(value) for value in row) for row in _rows(results))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS[0]))]
    lines = [_line(row, widths) for row in rows]
    lines.insert(len(HEADS), "-" * len(max(lines, key=len)))
    notes = [
        "*  until the URL is printed; the maximum in place of the 95th percentile",
        f"** CPU ms per second; memory is the {results['after_load']['kind']} of all processes",
    ]
    return "\n".join([_title(results["machine"]), *lines, *notes])


def _rows(results: Mapping[str, Any]) -> Iterator[Cells]:
    for figures in results["sign_in"]:
        connections = figures["connections"]
        yield _load_row(f"sign-in, {connections} connection{'s' if connections > 1 else ''}", figures)
    for name, figures in results["steps"].items():
        yield _load_row("any request (/healthz)" if name == "healthz" else f"  {name}", figures)
    for name, label in (("cold", "start, empty database *"), ("warm", "start, used database *")):
        figures = results["ready"][name]
        elapsed = figures["elapsed_ms_median"], figures["elapsed_ms_max"]
        yield (label, figures["cpu_ms_median"], *elapsed, None, None, figures["count"], 0)
    for figures in results["at_rest"]:
        workers = "1 worker" if figures["workers"] == "1" else f"{figures['workers']} workers"
        yield (f"at rest, {workers} **", figures["cpu_ms_per_second"], None, None, None, figures["mib"], None, None)
    yield ("after this load", None, None, None, None, results["after_load"]["mib"], None, None)


def _load_row(label: str, figures: Mapping[str, Any]) -> Cells:
    elapsed = figures["elapsed_ms_median"], figures["elapsed_ms_p95"], figures["per_second"]
    return (label, figures["cpu_ms"], *elapsed, None, figures["count"], figures["errors"])


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.2f}" if value < 100 else f"{value:.0f}"
    return "" if value is None else str(value)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    label, *figures = row
    cells = [label.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(figures, widths[1:], strict=True))]
    return "  ".join(cells).rstrip()


def _title(facts: Mapping[str, Any]) -> str:
    commit = facts["commit"] or "no commit"
    return f"Passerelle's bridge, {commit} · Python {facts['python']} · {facts['cores']} cores · {facts['processor']}\n"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Return the commit, with a "+" if the work tree differs; None outside a clone."""
    git = shutil.which("git")
    if git is None:
        return None
    commit, changes = (
        subprocess.run([git, "-C", ROOT, *arguments], capture_output=True, text=True, check=False)
        for arguments in (("rev-parse", "--short", "HEAD"), ("status", "--porcelain", "--", "bridge"))
    )
    if commit.returncode != 0:
        return None
    return commit.stdout.strip() + ("+" if changes.stdout else "")
