"""Failure responses of CAS, and what is logged about them (cas.md cases 7 and 19)."""

import pytest

from bridge.cas.response import LOGGED_TEXT_MAX_CHARS
from bridge.errors import BridgeError, ServiceRejected, SignInDenied, TicketRejected, UpstreamError
from tests.support.cas.cas_responses import parse_response
from tests.support.cas.cas_xml import failure, success

USER = "<cas:user>alice</cas:user>"


@pytest.mark.parametrize(
    ("code", "error", "oauth_code"),
    [
        ("INVALID_TICKET", TicketRejected, "access_denied"),
        ("INVALID_SERVICE", ServiceRejected, "server_error"),
        ("INVALID_REQUEST", ServiceRejected, "server_error"),
        ("INVALID_TICKET_SPEC", TicketRejected, "access_denied"),
        ("UNAUTHORIZED_SERVICE", ServiceRejected, "server_error"),
        ("UNAUTHORIZED_SERVICE_PROXY", ServiceRejected, "server_error"),
        ("UNAUTHORIZED_USER", SignInDenied, "access_denied"),
        ("INVALID_PROXY_CALLBACK", SignInDenied, "access_denied"),
        ("INTERNAL_ERROR", UpstreamError, "temporarily_unavailable"),
        ("SOMETHING_NEW", UpstreamError, "temporarily_unavailable"),
        ("", UpstreamError, "temporarily_unavailable"),
    ],
)
def test_failure_codes_map_to_errors(code: str, error: type[BridgeError], oauth_code: str) -> None:
    with pytest.raises(BridgeError) as caught:
        parse_response(failure(code))
    assert type(caught.value) is error
    assert caught.value.code == oauth_code
    assert code in caught.value.detail


@pytest.mark.parametrize(
    "text",
    [
        "Ticket 'ST-12-secret.x_y-cas' not recognized",
        "ticket ST%2D12-secret is gone",
        "'https://auth.localhost/cas/callback?state=secret' is not registered",
        "https%3A%2F%2Fauth.localhost%2Fcas%2Fcallback%3Fstate%3Dsecret",
        "x" * 10_000,
    ],
)
def test_failure_log_omits_ticket_and_state(text: str) -> None:
    with pytest.raises(TicketRejected) as caught:
        parse_response(failure("INVALID_TICKET", text))
    assert "INVALID_TICKET" in caught.value.detail
    assert "secret" not in caught.value.detail
    assert len(caught.value.detail) < LOGGED_TEXT_MAX_CHARS + 50
    assert text not in caught.value.description


def test_proxied_login_is_denied() -> None:
    proxies = "<cas:proxies><cas:proxy>https://portal.example/</cas:proxy></cas:proxies>"
    with pytest.raises(SignInDenied, match="another application"):
        parse_response(success(USER + proxies))
    assert parse_response(success(USER + "<cas:proxies> </cas:proxies>")).attributes == {}
