from collections.abc import Iterator

import pytest

from tests.clients.bridge_site import BridgeSite, site_in


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BridgeSite]:
    with site_in(tmp_path_factory.mktemp("site")) as site:
        yield site
