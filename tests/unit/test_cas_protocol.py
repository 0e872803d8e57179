"""URLs towards CAS, and the gate for tickets (cas.md cases 16 and parts of 23)."""

from urllib.parse import parse_qs, urlsplit

import pytest

from bridge.cas.protocol import (
    ValidatedTicket,
    check_renewed,
    check_ticket,
    login_url,
    service_url,
    ticket_fingerprint,
    validate_url,
)
from bridge.errors import TicketMalformed, TicketRefused

SERVICE = "https://auth.localhost/cas/callback?state=Zm9v_-1"
SHIBBOLETH_TICKET = "ST-" + "AAdzZWNyZXQx_v1.2-" * 22 + "%3A-"


def query(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query, strict_parsing=True)


def test_the_service_url_is_the_issuers_callback_with_the_state() -> None:
    assert service_url("https://auth.localhost", "Zm9v_-1") == SERVICE


def test_the_service_travels_as_one_encoded_parameter() -> None:
    url = login_url("https://cas.localhost/cas", SERVICE)
    assert url.startswith("https://cas.localhost/cas/login?service=https%3A%2F%2Fauth.localhost%2F")
    assert query(url) == {"service": [SERVICE]}


@pytest.mark.parametrize("base", ["https://cas.localhost/cas", "https://cas.localhost/cas/"])
def test_the_path_of_the_cas_base_url_is_kept_with_and_without_a_final_slash(base: str) -> None:
    assert urlsplit(login_url(base, SERVICE)).path == "/cas/login"
    assert urlsplit(validate_url(base, SERVICE, "ST-1")).path == "/cas/p3/serviceValidate"


def test_renew_gateway_and_locale_are_asked_for_at_login() -> None:
    assert query(login_url("https://c/cas", SERVICE, renew=True))["renew"] == ["true"]
    assert query(login_url("https://c/cas", SERVICE, gateway=True))["gateway"] == ["true"]
    assert query(login_url("https://c/cas", SERVICE, locale="fr&x=1"))["locale"] == ["fr&x=1"]


def test_renew_wins_over_gateway_because_both_together_mean_nothing() -> None:
    asked = query(login_url("https://c/cas", SERVICE, renew=True, gateway=True))
    assert "renew" in asked
    assert "gateway" not in asked


def test_renew_is_asked_again_at_validation_so_that_a_user_cannot_remove_it() -> None:
    assert query(validate_url("https://c/cas", SERVICE, "ST-1", renew=True))["renew"] == ["true"]
    assert "renew" not in query(validate_url("https://c/cas", SERVICE, "ST-1"))


@pytest.mark.parametrize(
    "ticket",
    [
        pytest.param("ST-1", id="case16-shorter-than-the-specification"),
        pytest.param(SHIBBOLETH_TICKET, id="case16-403-characters-of-shibboleth"),
        pytest.param("ST-231187-aB3-cas.stetson.example", id="case16-host-suffix-with-dots"),
        pytest.param("ST-9-x-https%3A%2F%2Fsome.site%3A8443%2Fcas", id="case16-percent-signs-in-the-ticket"),
        pytest.param("ST-" + "x" * 1021, id="case16-longest"),
    ],
)
def test_odd_but_real_tickets_pass_and_are_encoded_once(ticket: str) -> None:
    assert check_ticket([ticket]) == ticket
    assert query(validate_url("https://c/cas", SERVICE, ticket)) == {"service": [SERVICE], "ticket": [ticket]}


def test_the_long_ticket_of_these_tests_has_403_characters() -> None:
    assert len(SHIBBOLETH_TICKET) == 403


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([], id="case16-none"),
        pytest.param(["ST-1", "ST-1"], id="case16-two-parameters"),
        pytest.param([""], id="case16-empty"),
        pytest.param(["ST-"], id="case16-prefix-only"),
        pytest.param(["ST-1&service=https://evil/#"], id="case16-parameter-injection"),
        pytest.param(["ST-1\r\nX"], id="case16-line-break"),
        pytest.param(["ST-1\n"], id="case16-line-break-at-the-end"),
        pytest.param(["ST-<x/>"], id="case16-xml"),
        pytest.param(["PT-1"], id="case16-proxy-ticket"),
        pytest.param(["TGT-1"], id="case16-granting-ticket"),
        pytest.param(["st-1"], id="case16-lower-case"),
        pytest.param(["ST-" + "x" * 4997], id="case16-5000-characters"),
        pytest.param(["ST-é"], id="case16-non-ascii"),
        pytest.param(["ST-\x00"], id="case16-nul"),
    ],
)
def test_what_cannot_be_a_service_ticket_is_refused_at_the_gate(values: list[str]) -> None:
    with pytest.raises(TicketMalformed) as caught:
        check_ticket(values)
    assert caught.value.status == 400
    for value in filter(None, values):
        assert value not in caught.value.description + caught.value.detail


def test_a_proxy_ticket_gets_a_sentence_of_its_own() -> None:
    with pytest.raises(TicketMalformed) as caught:
        check_ticket(["PT-1"])
    assert "proxy tickets" in caught.value.description
    assert caught.value.description != TicketMalformed.default_description


def test_an_answer_from_an_older_session_does_not_satisfy_renew() -> None:
    with pytest.raises(TicketRefused):
        check_renewed(ValidatedTicket("alice", {"isFromNewLogin": ("False",)}))
    check_renewed(ValidatedTicket("alice", {"isFromNewLogin": ("true",)}))
    check_renewed(ValidatedTicket("alice", {}))


def test_a_fingerprint_tells_tickets_apart_without_showing_them() -> None:
    first, second = ticket_fingerprint("ST-secret-1"), ticket_fingerprint("ST-secret-2")
    assert first != second
    assert first == ticket_fingerprint("ST-secret-1")
    assert "secret" not in first
    assert first.startswith("ST-…")
    assert len(first) == len("ST-…") + 8
