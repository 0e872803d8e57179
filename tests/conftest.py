"""What a test may need of the machine, what to say when it is not there, and how tests share two processes.

With `pytest -n 2` all that has containers or a browser goes through one process, one after the other, because a browser
loses requests whenever a container starts on its machine; everything else goes through the other.
"""

from __future__ import annotations

import os
import signal
import sys
from functools import cache
from typing import Any

import pytest

from tests.machine import status
from tests.support.bridge.databases import database, empty_database, postgres, template

__all__ = ["database", "empty_database", "postgres", "template"]  # fixtures

LAYERS = ("unit", "contract", "http", "interop", "upstream", "clients", "conformance", "e2e")
# What is in one of these goes through one process: what starts containers or a browser, and what shares a server.
ROOMS = {
    "containers and browsers": (
        "tests/e2e/",
        "tests/clients/test_browser_",
        "tests/upstream/test_single_logout.py::test_a_real_browser",
    ),
    "upstream": ("tests/upstream/",),
    "clients": ("tests/clients/",),
}
LEFT_OUT = pytest.StashKey[dict[str, tuple[str, int]]]()
FIGURES = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    # Compiling the sources takes most of the start-up of a process, and the tests start hundreds.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    # Run in the background of a shell, we are started deaf to Ctrl-C, and so would be all that we start.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "e2e: real containers or processes, and a real browser")
    config.addinivalue_line("markers", "upstream: CAS servers that we did not write; two minutes")
    config.addinivalue_line(
        "markers",
        "needs(*things): what ENABLE of tests.machine.status lists: else left out",
    )
    config.stash[LEFT_OUT] = {}
    config.stash[FIGURES] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The quick layers first: a fault there explains the slow ones. Of two processes one begins with the slow ones."""
    shared = hasattr(config, "workerinput")
    slow = next(iter(ROOMS))
    items.sort(key=lambda item: (shared and _room(item.nodeid) != slow, _layer(item)))


def _layer(item: pytest.Item) -> int:
    return next((i for i, name in enumerate(LAYERS) if f"tests/{name}/" in item.path.as_posix()), len(LAYERS))


def _room(nodeid: str) -> str:
    rooms = (room for room, places in ROOMS.items() if nodeid.startswith(places))
    return next(rooms, nodeid.partition("::")[0])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """The groups that pytest-xdist 3.8 knows by a mark are lost on pytest 9.2."""
    from xdist.scheduler import LoadScopeScheduling

    class ByRoom(LoadScopeScheduling):  # type: ignore[misc]  # the package carries no types for it
        def _split_scope(self, nodeid: str) -> str:
            return _room(nodeid)

    config.option.loadscopereorder = False
    return ByRoom(config, log)


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> list[str]:
    """Lines that belong on the screen at the end, even when all is well."""
    return pytestconfig.stash[FIGURES]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        for thing in marker.args:
            if reason := _missing(thing):
                if os.environ.get("PASSERELLE_REQUIRE_DOCKER"):
                    pytest.fail(f"{reason} (PASSERELLE_REQUIRE_DOCKER is set, so this is a failure)", pytrace=False)
                left_out = item.config.stash[LEFT_OUT]
                left_out[thing] = (reason, left_out.get(thing, ("", 0))[1] + 1)
                pytest.skip(reason)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process of two hands over what it has to say."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["figures"] = session.config.stash[FIGURES]
        session.config.workeroutput["left_out"] = session.config.stash[LEFT_OUT]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """The other end of it."""
    told = getattr(node, "workeroutput", {})
    node.config.stash[FIGURES] += told.get("figures", [])
    left_out = node.config.stash[LEFT_OUT]
    for thing, (reason, count) in told.get("left_out", {}).items():
        left_out[thing] = (reason, left_out.get(thing, ("", 0))[1] + count)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Nothing is left out in silence."""
    if config.stash[FIGURES]:
        terminalreporter.section("figures")
        for line in config.stash[FIGURES]:
            terminalreporter.line(line)
    left_out = config.stash[LEFT_OUT]
    if not left_out:
        return
    terminalreporter.section("left out on this machine")
    for thing, (reason, count) in left_out.items():
        terminalreporter.line(f"{count} test(s): {reason}. To enable them: {status.ENABLE[thing]}")


@cache
def _missing(thing: str) -> str | None:
    checks = {
        "engine": status.missing_engine,
        "browser": status.missing_browser,
        "postgres": status.missing_postgres,
        "ldap": status.missing_ldap,
        "proxies": status.missing_proxies,
        "mounts": status.missing_mounts,
        "node": status.missing_node,
        "apache": status.missing_apache,
        "apereo": status.missing_apereo,
        "synapse": status.missing_synapse,
        "prometheus": status.missing_prometheus,
        "acme": status.missing_acme,
        "restic": status.missing_restic,
        "images": lambda: status.missing_images(list(status.image_names().values())),
    }
    return checks[thing]()
