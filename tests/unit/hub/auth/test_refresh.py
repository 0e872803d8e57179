"""Revalidation of signed-in users: outcomes and their consequences."""

from __future__ import annotations

import asyncio
import io
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest, HTTPResponse
from tornado.httputil import HTTPHeaders

from bridge.errors.oauth import IdentityExpired
from hub.auth.oauth import IDENTITY_TOO_OLD, evaluate_token_error
from hub.auth.refresh import (
    CONFIRMED_AT,
    LAB_GRACE,
    OUTAGE_GRACE,
    AuthRefreshMixin,
    Outcome,
    Revalidation,
    apply_grace,
    is_navigation,
)

NOW = 1_000_000.0


@pytest.mark.parametrize(
    ("outcome", "seconds_ago", "expected"),
    [
        (Outcome.CONFIRMED, 10**6, Outcome.CONFIRMED),
        (Outcome.REVOKED, 0, Outcome.REVOKED),
        (Outcome.ENDED, 10**6, Outcome.ENDED),
        (Outcome.UNAVAILABLE, OUTAGE_GRACE - 1, Outcome.UNAVAILABLE),
        (Outcome.UNAVAILABLE, OUTAGE_GRACE + 1, Outcome.UNCERTAIN),
        (Outcome.UNAVAILABLE, LAB_GRACE + 1, Outcome.LAPSED),
        (Outcome.UNCERTAIN, LAB_GRACE - 1, Outcome.UNCERTAIN),
        (Outcome.UNCERTAIN, LAB_GRACE + 1, Outcome.LAPSED),
    ],
)
def test_grace_depends_on_last_confirmation(outcome: Outcome, seconds_ago: float, expected: Outcome) -> None:
    assert apply_grace(outcome, confirmed_at=NOW - seconds_ago, now=NOW) is expected


@pytest.mark.parametrize("outcome", [one for one in Outcome if one is not Outcome.REVOKED])
def test_elapsed_time_alone_never_revokes(outcome: Outcome) -> None:
    assert apply_grace(outcome, confirmed_at=0, now=NOW) is not Outcome.REVOKED


class UserWithNewSignIn:
    """A user who signs in during the revalidation of the old tokens."""

    name = "bob"

    def __init__(self) -> None:
        self.states = [{CONFIRMED_AT: 1.0}, {CONFIRMED_AT: 2.0}]

    async def get_auth_state(self) -> dict[str, float]:
        return self.states.pop(0)


class RejectingAuthenticator(AuthRefreshMixin):
    log = logging.getLogger(__name__)

    async def revalidate(self, user: Any, auth_state: dict[str, Any]) -> Revalidation:
        return Revalidation(Outcome.ENDED)


def test_rejection_of_old_tokens_keeps_new_sign_in() -> None:
    assert asyncio.run(RejectingAuthenticator().refresh_user(UserWithNewSignIn())) is True


def token_error(code: int, body: bytes) -> Revalidation:
    response = HTTPResponse(HTTPRequest("https://x.example"), code, buffer=io.BytesIO(body))
    return evaluate_token_error(HTTPClientError(code, response=response))


@pytest.mark.parametrize(
    ("code", "body", "outcome"),
    [
        (400, b'{"error": "invalid_grant"}', Outcome.ENDED),
        (400, b'{"error": "invalid_grant", "error_description": "send them to the authorization endpoint again"}',
         Outcome.UNCERTAIN),
        (401, b'{"error": "invalid_client"}', Outcome.UNAVAILABLE),
        (429, b"slow down", Outcome.UNAVAILABLE),
        (502, b"<html>", Outcome.UNAVAILABLE),
        (400, b"[]", Outcome.UNAVAILABLE),
        (400, b"\xff", Outcome.UNAVAILABLE),
    ],
)  # fmt: skip
def test_only_invalid_grant_ends_session(code: int, body: bytes, outcome: Outcome) -> None:
    """A changed client secret or a fault of a proxy must not sign all users out."""
    assert token_error(code, body).outcome is outcome


def test_hub_recognises_bridge_error_description() -> None:
    assert IDENTITY_TOO_OLD in IdentityExpired.default_description


def request(method: str = "GET", path: str = "/hub/home", **headers: str) -> Any:
    given = HTTPHeaders({"Accept": "text/html,*/*", **{name.replace("_", "-"): text for name, text in headers.items()}})
    return SimpleNamespace(
        request=SimpleNamespace(method=method, path=path, headers=given), hub=SimpleNamespace(base_url="/hub/")
    )


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (request(), True),
        (request(path="/hub/api/oauth2/authorize"), True),
        (request(method="POST"), False),
        (request(Accept="application/json"), False),
        (request(Sec_Fetch_Mode="cors"), False),
        (request(path="/hub/logout"), False),
        (request(path="/hub/oauth_login"), False),
        (request(path="/hub/oauth_callback"), False),
        (request(path="/hub/login"), False),
    ],
)
def test_only_page_loads_are_redirected(handler: Any, expected: bool) -> None:
    assert is_navigation(handler) is expected
