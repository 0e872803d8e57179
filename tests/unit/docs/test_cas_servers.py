"""The table of CAS servers in docs/cas.md."""

from docs._generate import cas_servers
from tests.upstream.conftest import SERVERS


def test_table_matches_the_tested_servers() -> None:
    assert set(cas_servers.SERVERS) == set(SERVERS.values())
    assert cas_servers.PAGE.read_text(encoding="utf-8") == cas_servers.page()
