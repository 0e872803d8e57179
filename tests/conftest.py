"""What a test may need of the machine, and what to say when it is not there."""

from __future__ import annotations

import os
from functools import cache

import pytest

from tests.machine import status
from tests.support.databases import database, empty_database, postgres, template

__all__ = ["database", "empty_database", "postgres", "template"]  # fixtures

LAYERS = ("unit", "contract", "http", "interop", "upstream", "conformance", "e2e")
LEFT_OUT = pytest.StashKey[dict[str, tuple[str, int]]]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "e2e: real containers or processes, and a real browser")
    config.addinivalue_line("markers", "upstream: CAS servers that we did not write; two minutes")
    config.addinivalue_line(
        "markers",
        "needs(*things): what ENABLE of tests.machine.status lists: else left out",
    )
    config.stash[LEFT_OUT] = {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The quick layers first: a fault there explains the slow ones."""

    def layer(item: pytest.Item) -> int:
        return next((i for i, name in enumerate(LAYERS) if f"tests/{name}/" in item.path.as_posix()), len(LAYERS))

    items.sort(key=layer)


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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Nothing is left out in silence."""
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
        "apereo": status.missing_apereo,
        "prometheus": status.missing_prometheus,
        "acme": status.missing_acme,
        "images": lambda: status.missing_images(list(status.image_names().values())),
    }
    return checks[thing]()
