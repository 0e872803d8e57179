"""One running bridge with a real CAS server for all applications; each person has a new browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.node_packages import install
from tests.clients.person import Person
from tests.clients.site import Site, running_site


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The shared bridge; each application adds its own client."""
    with running_site(tmp_path_factory.mktemp("clients")) as it:
        yield it


@pytest.fixture
def person(site: Site) -> Person:
    """A person with a new browser."""
    return site.person()


@pytest.fixture(scope="session")
def node_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the Node applications, with their libraries installed."""
    return install(tmp_path_factory.mktemp("node-packages"))
