"""One live bridge with a real CAS behind it for all applications of this layer; each person has a new browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.node_packages import install
from tests.clients.person import Person
from tests.clients.site import Site, site_in


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Shared: an application brings a registration of its own."""
    with site_in(tmp_path_factory.mktemp("clients")) as it:
        yield it


@pytest.fixture
def person(site: Site) -> Person:
    """Signed in nowhere."""
    return site.person()


@pytest.fixture(scope="session")
def node_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the applications of the Node world are, with their libraries installed."""
    return install(tmp_path_factory.mktemp("node-packages"))
