"""Requirements of tests, the summary of skipped tests, and the distribution of tests over processes.

`pytest -n 4` suits two cores: tests with labs mostly wait, so three processes run them, and the fourth runs the rest.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.machine import status
from tests.support.bridge.databases import database, empty_database, postgres, sqlite_template, template

__all__ = ["database", "empty_database", "postgres", "sqlite_template", "template"]  # fixtures

LAYERS = ("unit", "contract", "http", "interop", "upstream", "clients", "conformance", "e2e")
# The tests of a group run in one process: those with labs, in three parts of the same duration, with one or two
# deployments at a time in each, and those that share a server.
GROUPS = {
    "labs 1": tuple(f"tests/e2e/test_bundle_{name}" for name in ("operations", "sign_in")),
    "labs 2": tuple(f"tests/e2e/test_bundle_{name}" for name in ("lifecycle", "storage")),
    "labs 3": (*(f"tests/e2e/test_bundle_{name}" for name in ("edge", "labs.py", "load")), "tests/e2e/test_compose"),
    "upstream": ("tests/upstream/",),
    "clients": ("tests/clients/",),
    "pages": ("tests/unit/docs/",),
}
SKIPPED = pytest.StashKey[dict[str, tuple[str, int]]]()
COLLECTED = pytest.StashKey[list[str]]()
FIGURES = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    # Compiling the sources takes most of the start-up of a process, and the tests start hundreds.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    # A shell starts background jobs with SIGINT ignored, and child processes would inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "e2e: real containers or processes, and a real browser")
    config.addinivalue_line("markers", "upstream: third-party CAS servers; two minutes")
    config.addinivalue_line(
        "markers",
        "needs(*parts): parts of ENABLE in tests.machine.status; skipped without them",
    )
    config.stash[SKIPPED] = {}
    config.stash[FIGURES] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run quick layers first, because their failures explain others; several processes begin with the longest."""
    items.sort(key=_layer)
    config.stash[COLLECTED] = [item.nodeid for item in items]
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: (_group(item.nodeid) not in GROUPS, -_layer(item)))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Keep garbage collections from looking at imported modules and tests, now and in each test."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
def collected(pytestconfig: pytest.Config) -> list[str]:
    """Return the ids of all tests, also if this run is a part of the suite."""
    tests, here = pytestconfig.rootpath / "tests", pytestconfig.stash[COLLECTED]
    given = {Path(argument).resolve() for argument in pytestconfig.args}
    if pytestconfig.option.keyword or pytestconfig.option.markexpr:
        given = set()
    folders = {file.relative_to(tests).parts[0] for file in tests.rglob("test_*.py")}
    others = sorted(name for name in folders if given.isdisjoint((tests, tests / name)))
    if not others:
        return here
    from docs._generate import conformance

    seen = tuple(f"tests/{name}/" for name in folders.difference(others))
    return [test for test in here if test.startswith(seen)] + conformance.collected(
        *(f"tests/{each}" for each in others)
    )


def _layer(item: pytest.Item) -> int:
    return next((i for i, name in enumerate(LAYERS) if f"tests/{name}/" in item.path.as_posix()), len(LAYERS))


def _group(nodeid: str) -> str:
    groups = (group for group, prefixes in GROUPS.items() if nodeid.startswith(prefixes))
    return next(groups, nodeid.partition("::")[0])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Distribute tests by group; the xdist_group mark of pytest-xdist 3.8 does not work with pytest 9.2."""
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):  # type: ignore[misc]  # the package is untyped
        def _split_scope(self, nodeid: str) -> str:
            return _group(nodeid)

    config.option.loadscopereorder = False
    return ByGroup(config, log)


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> list[str]:
    """Return the lines to print in the summary of the run."""
    return pytestconfig.stash[FIGURES]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        for part in marker.args:
            if reason := _missing(part):
                if os.environ.get("PASSERELLE_REQUIRE_DOCKER"):
                    pytest.fail(f"{reason} (a failure, because PASSERELLE_REQUIRE_DOCKER is set)", pytrace=False)
                skipped = item.config.stash[SKIPPED]
                skipped[part] = (reason, skipped.get(part, ("", 0))[1] + 1)
                pytest.skip(reason)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send figures and skipped tests of a worker to the controller."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["figures"] = session.config.stash[FIGURES]
        session.config.workeroutput["skipped"] = session.config.stash[SKIPPED]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Collect figures and skipped tests of the workers."""
    output = getattr(node, "workeroutput", {})
    node.config.stash[FIGURES] += output.get("figures", [])
    skipped = node.config.stash[SKIPPED]
    for part, (reason, count) in output.get("skipped", {}).items():
        skipped[part] = (reason, skipped.get(part, ("", 0))[1] + count)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print figures, and which tests were skipped and how to enable them."""
    if config.stash[FIGURES]:
        terminalreporter.section("figures")
        for line in config.stash[FIGURES]:
            terminalreporter.line(line)
    skipped = config.stash[SKIPPED]
    if not skipped:
        return
    terminalreporter.section("skipped on this machine")
    for part, (reason, count) in skipped.items():
        terminalreporter.line(f"{count} test(s): {reason}. To enable them: {status.ENABLE[part]}")


@cache
def _missing(part: str) -> str | None:
    if part == "images":
        return status.missing_images(list(status.image_names().values()))
    reason: str | None = getattr(status, f"missing_{part}")()
    return reason
