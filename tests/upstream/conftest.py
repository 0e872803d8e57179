"""Each test of this layer runs against every real CAS server that can be started here, one server after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cas.apereo_cas import ApereoCas
from tests.support.cas.django_cas import DjangoCas
from tests.support.cas.real_cas import RealCas
from tests.upstream.site import Site, site_at

HERE = Path(__file__).parent
SERVERS = {"apereo": ApereoCas, "django": DjangoCas}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """So that `-m "not upstream"` leaves the whole layer out."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("upstream")


@pytest.fixture(
    scope="session", params=[pytest.param("apereo", marks=pytest.mark.needs("apereo")), pytest.param("django")]
)
def cas(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, figures: list[str]
) -> Iterator[RealCas]:
    """The server, over https with an authority that nobody else knows."""
    with SERVERS[request.param](tmp_path_factory.mktemp(request.param)) as server:
        yield server
        size = server.resident_bytes / 2**20
        figures.append(f"{server.kind}: ready after {server.start_seconds:.1f} s, at the end {size:.0f} MiB")


@pytest.fixture(scope="module")
def site(cas: RealCas, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A bridge of two workers, told of logouts at its logout URL; shared, so every test brings its own people."""
    with site_at(tmp_path_factory.mktemp("bridge"), cas, PASSERELLE_WORKERS="2") as it:
        yield it


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """For a bridge that a test starts for itself."""
    return tmp_path
