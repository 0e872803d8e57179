"""Validation of tickets and of fresh logins (cas.md case 16 and parts of 23)."""

from urllib.parse import parse_qs, urlsplit

import pytest

from bridge.cas.endpoints import CasEndpoints
from bridge.cas.protocol import (
    ValidatedTicket,
    check_fresh_login,
    check_ticket,
    service_url,
    ticket_fingerprint,
)
from bridge.errors import TicketMalformed, TicketRejected

SERVICE = "https://auth.localhost/cas/callback?state=Zm9v_-1"
SHIBBOLETH_TICKET = "ST-" + "AAdzZWNyZXQx_v1.2-" * 22 + "%3A-"


def query(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query, strict_parsing=True)


def test_service_url_is_callback_with_state() -> None:
    assert service_url("https://auth.localhost", "Zm9v_-1") == SERVICE


@pytest.mark.parametrize(
    "ticket",
    [
        pytest.param("ST-1", id="cas16-shorter-than-the-specification"),
        pytest.param(SHIBBOLETH_TICKET, id="cas16-403-characters-of-shibboleth"),
        pytest.param("ST-231187-aB3-cas.stetson.example", id="cas16-host-suffix-with-dots"),
        pytest.param("ST-9-x-https%3A%2F%2Fsome.site%3A8443%2Fcas", id="cas16-percent-signs-in-the-ticket"),
        pytest.param("ST-" + "x" * 1021, id="cas16-longest"),
    ],
)
def test_unusual_tickets_are_accepted_and_encoded_once(ticket: str) -> None:
    assert check_ticket([ticket]) == ticket
    asked = CasEndpoints.from_base_url("https://c/cas").validation_request(
        SERVICE, ticket, renew=False, now=0, request_id="a"
    )
    assert query(asked.url) == {"service": [SERVICE], "ticket": [ticket]}


def test_long_ticket_fixture_has_403_characters() -> None:
    assert len(SHIBBOLETH_TICKET) == 403


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([], id="cas16-none"),
        pytest.param(["ST-1", "ST-1"], id="cas16-two-parameters"),
        pytest.param([""], id="cas16-empty"),
        pytest.param(["ST-"], id="cas16-prefix-only"),
        pytest.param(["ST-1&service=https://evil/#"], id="cas16-parameter-injection"),
        pytest.param(["ST-1\r\nX"], id="cas16-line-break"),
        pytest.param(["ST-1\n"], id="cas16-line-break-at-the-end"),
        pytest.param(["ST-<x/>"], id="cas16-xml"),
        pytest.param(["PT-1"], id="cas16-proxy-ticket"),
        pytest.param(["TGT-1"], id="cas16-granting-ticket"),
        pytest.param(["st-1"], id="cas16-lower-case"),
        pytest.param(["ST-" + "x" * 4997], id="cas16-5000-characters"),
        pytest.param(["ST-é"], id="cas16-non-ascii"),
        pytest.param(["ST-\x00"], id="cas16-nul"),
    ],
)
def test_malformed_tickets_are_rejected(values: list[str]) -> None:
    with pytest.raises(TicketMalformed) as caught:
        check_ticket(values)
    assert caught.value.status == 400
    for value in filter(None, values):
        assert value not in caught.value.description + caught.value.detail


def test_proxy_ticket_has_its_own_message() -> None:
    with pytest.raises(TicketMalformed) as caught:
        check_ticket(["PT-1"])
    assert "proxy tickets" in caught.value.description
    assert caught.value.description != TicketMalformed.default_description


@pytest.mark.parametrize(
    "attributes",
    [
        {"isFromNewLogin": ("False",)},
        {"isFromNewLogin": ("false",), "authenticationDate": ("1970-01-01T01:00:00Z",)},
        {"authenticationDate": ("1970-01-01T00:58:59Z",)},
    ],
)
def test_older_session_does_not_satisfy_renew(attributes: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(TicketRejected):
        check_fresh_login(ValidatedTicket("alice", attributes), since=3600)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"isFromNewLogin": ("true",)},
        {"isFromNewLogin": ("true",), "authenticationDate": ("1970-01-01T00:00:00Z",)},  # a wrong clock
        {"authenticationDate": ("1970-01-01T00:59:01Z",)},  # a clock that is slightly behind
        {"authenticationDate": ("1970-01-01T01:02:00Z",)},
        {"authenticationDate": ("Tue May 19 02:20:19 UTC 2015",)},
    ],
)
def test_fresh_session_satisfies_renew(attributes: dict[str, tuple[str, ...]]) -> None:
    check_fresh_login(ValidatedTicket("alice", attributes), since=3600)


def test_fingerprints_differ_and_hide_the_ticket() -> None:
    first, second = ticket_fingerprint("ST-secret-1"), ticket_fingerprint("ST-secret-2")
    assert first != second
    assert first == ticket_fingerprint("ST-secret-1")
    assert "secret" not in first
    assert first.startswith("ST-…")
    assert len(first) == len("ST-…") + 8
