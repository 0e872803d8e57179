"""The client address in `X-Forwarded-For`, in the spellings that proxies use."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.web.client_address import ClientAddress, limit_key

PEER = "10.0.0.1"


def client_address(forwarded: str | None, *, hops: int = 1, peer: str = PEER) -> str:
    seen: list[str] = []
    application = ClientAddress(lambda environ, _start: seen.append(environ["REMOTE_ADDR"]) or [], hops)
    environ: dict[str, Any] = {"REMOTE_ADDR": peer}
    application(environ | ({} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}), None)
    return seen[0]


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7:5001", "203.0.113.7"),
        ('"203.0.113.7:5001"', "203.0.113.7"),
        (" 203.0.113.7 ", "203.0.113.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:DB8:0::1]:443", "2001:db8::1"),
        ('"[2001:db8::1]:443"', "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%25eth0]:443", "fe80::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("[::ffff:203.0.113.7]:80", "203.0.113.7"),
        ("198.51.100.1, 203.0.113.7:5001", "203.0.113.7"),
        ("unknown, 203.0.113.7", "203.0.113.7"),
        (",203.0.113.7", "203.0.113.7"),
    ],
)
def test_address_is_read_in_every_spelling(forwarded: str, address: str) -> None:
    assert client_address(forwarded) == address


@pytest.mark.parametrize(
    "forwarded",
    [
        "",
        " ",
        ",",
        "unknown",
        "_hidden",
        "203.0.113.7, unknown",
        "203.0.113.7,",
        "[",
        "[]:80",
        ":",
        "1.2.3.4.5",
        "\xff",
        "1",
    ],
)
def test_unreadable_address_is_that_of_the_peer(forwarded: str) -> None:
    assert client_address(forwarded) == PEER


@pytest.mark.parametrize(("hops", "address"), [(0, PEER), (1, "192.0.2.3"), (3, "192.0.2.1"), (4, PEER)])
def test_number_of_proxies_chooses_the_address(hops: int, address: str) -> None:
    assert client_address("192.0.2.1, 192.0.2.2, 192.0.2.3", hops=hops) == address


@pytest.mark.parametrize(("peer", "address"), [("::ffff:127.0.0.1", "127.0.0.1"), ("", ""), ("unix:", "unix:")])
def test_peer_is_kept_without_header(peer: str, address: str) -> None:
    assert client_address(None, peer=peer) == address


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("", ""),
        ("x" * 100, "x" * 64),
    ],
)
def test_limits_count_ipv6_by_network(address: str, key: str) -> None:
    assert limit_key(address) == key
