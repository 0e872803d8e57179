"""The firewall service with a stand-in for nft that keeps the rules in a file."""

from __future__ import annotations

import os
import stat
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from hub.config.field_types import SettingsError
from hub.config.network_settings import NetworkSettings
from hub.network import firewall, rules
from hub.network.firewall import Firewall, FirewallError, read_resolvers
from hub.network.hub_address import announce_address, read_address
from hub.network.rules import Host, render_rules

HOST = Host(
    "br-labs", IPv4Address("198.18.128.1"), frozenset({"br-labs", "docker0"}), frozenset({IPv4Address("10.0.0.53")})
)
NFT = """#!/bin/sh
cd "$(dirname "$0")"
test ! -e broken || { cat broken >&2; exit 1; }
case "$1" in
--file) cat > kernel; echo applied >> log ;;
*) test -e kernel || exit 1; cat kernel ;;
esac
"""


def settings(**changed: str) -> NetworkSettings:
    return NetworkSettings.model_validate({"PROJECT_NAME": "p"} | changed)


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    nft = tmp_path / "nft"
    nft.write_text(NFT)
    nft.chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(firewall, "find_host", lambda *_: HOST)
    return tmp_path


def test_rules_are_applied_once_while_unchanged(kernel: Path) -> None:
    service = Firewall(settings(), Path("/none"))
    assert [service.ensure(), service.ensure()] == [True, False]


def test_changed_rules_are_restored(kernel: Path) -> None:
    service = Firewall(settings(), Path("/none"))
    service.ensure()
    wanted = (kernel / "kernel").read_text()
    (kernel / "kernel").write_text(wanted.replace("drop", "accept"))
    assert service.ensure()
    assert (kernel / "kernel").read_text() == wanted


def test_deleted_rules_are_restored(kernel: Path) -> None:
    service = Firewall(settings(), Path("/none"))
    service.ensure()
    (kernel / "kernel").unlink()
    assert service.ensure()
    assert (kernel / "kernel").exists()


def test_new_bridge_device_changes_rules(kernel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = Firewall(settings(), Path("/none"))
    service.ensure()
    other = Host("br-new", None, frozenset({"br-new"}), frozenset())
    monkeypatch.setattr(firewall, "find_host", lambda *_: other)
    assert service.ensure()
    assert 'iifname "br-new" goto from_lab' in (kernel / "kernel").read_text()


def test_rejected_rules_are_an_error_with_the_reason(kernel: Path) -> None:
    (kernel / "broken").write_text("Operation not supported\n")
    with pytest.raises(FirewallError, match="Operation not supported"):
        Firewall(settings(), Path("/none")).ensure()


def test_missing_network_is_an_error_with_the_remedy() -> None:
    with pytest.raises(FirewallError, match=r"no network of Docker has the gateway 198\.18\.0\.1.*docker compose down"):
        firewall.find_host(settings(), Path("/none"))


def test_resolvers_exclude_loopback_and_ipv6() -> None:
    text = "search x\nnameserver 127.0.0.53\nnameserver 10.0.0.53 # campus\nnameserver fe80::1%eth0\nnameserver\n"
    assert read_resolvers(text) == {IPv4Address("10.0.0.53")}


def test_isolated_labs_query_no_name_server() -> None:
    assert "dport 53" not in render_rules(settings(LAB_NETWORK="isolated"), HOST)


def test_open_network_still_blocks_metadata_addresses() -> None:
    assert "169.254.0.0/16" in render_rules(settings(LAB_NETWORK="open"), HOST)


@pytest.mark.parametrize("content", ["", "x", "10.0.0.5", "198.18.0.1", "198.18.0.3", "198.18.0.4", "198.18.128.1 "])
def test_invalid_address_of_hub_is_ignored(tmp_path: Path, content: str) -> None:
    (tmp_path / "address").write_text(content)
    assert read_address(settings(), tmp_path / "address") is None


def test_fifo_of_hub_does_not_stop_the_firewall(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "address")
    writer = os.open(tmp_path / "address", os.O_RDWR)
    assert read_address(settings(), tmp_path / "address") is None
    os.close(writer)


def test_applied_rules_report_the_hub(kernel: Path) -> None:
    service = Firewall(settings(), Path("/none"))
    service.ensure()
    assert service.hub == "198.18.128.1"


def test_hub_outside_of_labs_network_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"it is not in the labs' network 198\.18\.0\.0/16"):
        announce_address(settings(), tmp_path / "address")


def test_removal_deletes_both_tables() -> None:
    removal = rules.render_removal(settings())
    assert "delete table inet passerelle_p" in removal
    assert "delete table bridge passerelle_p" in removal
