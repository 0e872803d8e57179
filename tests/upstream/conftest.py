"""Fixtures that run each test against every available real CAS server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cas.apereo_cas import ApereoCas
from tests.support.cas.django_cas import DjangoCas, MamaCas
from tests.support.cas.jasig_cas import JasigCas
from tests.support.cas.lemonldap_cas import LemonldapCas
from tests.support.cas.real_cas import RealCas
from tests.upstream.site import Site, site_at

HERE = Path(__file__).parent
SERVERS = {"apereo": ApereoCas, "django": DjangoCas, "mama": MamaCas, "jasig": JasigCas, "lemonldap": LemonldapCas}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test, so that `-m "not upstream"` skips them, and drop logout channels that a server lacks."""
    items[:] = filter(_can_notify, items)
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("upstream")


def _can_notify(item: pytest.Item) -> bool:
    values = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    channel = values.get("notified_site")
    return channel is None or channel in SERVERS[values["cas"]].logout_channels


@pytest.fixture(
    scope="session",
    params=[
        pytest.param("apereo", marks=pytest.mark.needs("apereo")),
        "django",
        "mama",
        pytest.param("jasig", marks=pytest.mark.needs("jasig")),
        pytest.param("lemonldap", marks=pytest.mark.needs("lemonldap")),
    ],
)
def cas(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, figures: list[str]
) -> Iterator[RealCas]:
    """Start the server over https with a private authority."""
    with SERVERS[request.param](tmp_path_factory.mktemp(request.param)) as server:
        yield server
        size = server.resident_bytes / 2**20
        figures.append(f"{server.kind}: ready after {server.start_seconds:.1f} s, at the end {size:.0f} MiB")


@pytest.fixture(scope="module")
def site(cas: RealCas, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Start a bridge with two workers and a logout URL; it is shared, so each test uses new users."""
    with site_at(tmp_path_factory.mktemp("bridge"), cas, PASSERELLE_WORKERS="2") as it:
        yield it


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the settings of a bridge that a test starts itself."""
    return tmp_path
