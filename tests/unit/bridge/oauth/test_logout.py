"""Tests of logout URLs and of delivery retries."""

import pytest

from bridge.cas.endpoints import CasEndpoints
from bridge.oauth.backchannel import GIVE_UP_SECONDS, next_attempt
from bridge.oauth.logout import LogoutRequest
from bridge.store import LogoutDelivery

CAS = "https://sso.example.org/cas"
NOW = 1_800_000_000


def delivery(*, attempts: int, age: int = 0) -> LogoutDelivery:
    return LogoutDelivery(
        delivery_id=1,
        client_id="hub",
        sid="sid",
        subject="alice",
        uri="https://hub.example.org/logout",
        created_at=NOW - age,
        attempts=attempts,
        next_attempt_at=NOW,
        last_error="",
    )


@pytest.mark.parametrize(("attempts", "pause"), [(1, 5), (2, 30), (3, 120), (4, 600), (5, 3600), (6, 3600), (20, 3600)])
def test_delivery_pauses_increase(attempts: int, pause: int) -> None:
    assert next_attempt(delivery(attempts=attempts), now=NOW) == NOW + pause


def test_last_delivery_attempt_is_within_a_day() -> None:
    assert next_attempt(delivery(attempts=9, age=GIVE_UP_SECONDS - 3600), now=NOW) == NOW + 3600
    assert next_attempt(delivery(attempts=9, age=GIVE_UP_SECONDS - 3599), now=NOW) is None


@pytest.mark.parametrize(
    ("cas_url", "service", "url"),
    [
        (CAS, None, f"{CAS}/logout"),
        (f"{CAS}/", None, f"{CAS}/logout"),
        (CAS, "https://a.example/done", f"{CAS}/logout?service=https%3A%2F%2Fa.example%2Fdone"),
        (
            CAS,
            "https://a.example/?x=a b&y=%26#",
            f"{CAS}/logout?service=https%3A%2F%2Fa.example%2F%3Fx%3Da%20b%26y%3D%2526%23",
        ),
    ],
)
def test_cas_logout_url_encodes_service_as_one_value(cas_url: str, service: str | None, url: str) -> None:
    assert CasEndpoints.from_base_url(cas_url).logout_url(service) == url


@pytest.mark.parametrize(
    ("address", "state", "end"),
    [
        (None, None, None),
        (None, "s", None),
        ("https://a.example/bye", None, "https://a.example/bye"),
        ("https://a.example/bye", "s t", "https://a.example/bye?state=s+t"),
        ("https://a.example/bye?x=%2F", "&iss=x", "https://a.example/bye?x=%2F&state=%26iss%3Dx"),
        ("https://a.example/bye", "a\r\nSet-Cookie: b", "https://a.example/bye?state=a%0D%0ASet-Cookie%3A+b"),
    ],
)
def test_state_is_added_to_post_logout_redirect_uri_only(
    address: str | None, state: str | None, end: str | None
) -> None:
    wanted = LogoutRequest(client=None, hint=None, post_logout_redirect_uri=address, state=state, ui_locales=None)

    assert wanted.return_url == end
