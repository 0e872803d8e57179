"""The check before a start that the labs' network is isolated."""

import asyncio
from pathlib import Path

import pytest
from jupyterhub.spawner import SpawnException

from hub.network import state
from hub.network.start_check import FirewallCheck


def test_start_without_report_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(SpawnException, match="cannot verify that labs are isolated") as rejected:
        asyncio.run(FirewallCheck("internet", "", tmp_path / "state.json", attempts=1).before_start(None))
    assert rejected.value.status_code == 503


def test_start_with_rules_in_place_is_accepted(tmp_path: Path) -> None:
    state.report("", "internet", "198.18.128.1", tmp_path / "state.json")
    asyncio.run(FirewallCheck("internet", "198.18.128.1", tmp_path / "state.json", attempts=1).before_start(None))


def test_hub_logs_why_labs_cannot_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    state.report("nft ended with 1", "internet", "", tmp_path / "state.json")
    FirewallCheck("internet", "", tmp_path / "state.json", attempts=1).wait_for_rules()
    assert "Labs cannot start until their network is isolated: nft ended with 1" in caplog.text
