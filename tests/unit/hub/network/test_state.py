"""Reports of the firewall: valid for seconds, for one mode, and in one boot."""

import json
import time
from pathlib import Path

import pytest

from hub.network import state


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


def written(file: Path, **changed: object) -> Path:
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    file.write_text(json.dumps({"fault": "", "mode": "internet", "hub": "198.18.128.1", "at": now} | changed))
    return file


def test_fresh_report_has_no_fault(file: Path) -> None:
    state.report("", "internet", "198.18.128.1", file)
    assert state.find_fault("internet", "198.18.128.1", file) == ""


def test_reported_fault_is_returned(file: Path) -> None:
    state.report("no nft", "internet", "", file)
    assert state.find_fault("internet", "198.18.128.1", file) == "no nft"


def test_report_of_other_mode_is_a_fault(file: Path) -> None:
    assert "LAB_NETWORK=internet, not isolated" in state.find_fault("isolated", "198.18.128.1", written(file))


def test_report_of_other_hub_address_is_a_fault(file: Path) -> None:
    fault = state.find_fault("internet", "198.18.128.7", written(file))
    assert "do not name 198.18.128.7, the address of the hub" in fault


def test_missing_report_is_a_fault(file: Path) -> None:
    assert state.find_fault("internet", "198.18.128.1", file) == state.MISSING


def test_old_report_is_a_fault(file: Path) -> None:
    at = time.clock_gettime(time.CLOCK_BOOTTIME) - state.MAX_AGE - 1
    assert "too old" in state.find_fault("internet", "198.18.128.1", written(file, at=at))


def test_report_of_earlier_boot_is_a_fault(file: Path) -> None:
    at = time.clock_gettime(time.CLOCK_BOOTTIME) + 1000
    assert "too old" in state.find_fault("internet", "198.18.128.1", written(file, at=at))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"fault": "", "mode": "internet", "at": "x"}', b"\xff"])
def test_unreadable_report_is_a_fault(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    assert "cannot be read" in state.find_fault("internet", "198.18.128.1", file)
