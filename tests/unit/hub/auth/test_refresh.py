"""What follows from asking again, and a site's own configuration files."""

from __future__ import annotations

import asyncio
import io
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest, HTTPResponse
from tornado.httputil import HTTPHeaders
from traitlets.config import Config

from bridge.errors import IdentityExpired
from hub.auth.oauth import IDENTITY_TOO_OLD, refusal_of
from hub.auth.refresh import AS_OF, LAB_GRACE, OUTAGE_GRACE, AuthRefreshMixin, Finding, Verdict, is_navigation, settled
from hub.config.conf_d import read_site
from hub.config.settings import SettingsError

NOW = 1_000_000.0


@pytest.mark.parametrize(
    ("found", "seconds_ago", "counts"),
    [
        (Verdict.CONFIRMED, 10**6, Verdict.CONFIRMED),
        (Verdict.GONE, 0, Verdict.GONE),
        (Verdict.ENDED, 10**6, Verdict.ENDED),
        (Verdict.UNANSWERED, OUTAGE_GRACE - 1, Verdict.UNANSWERED),
        (Verdict.UNANSWERED, OUTAGE_GRACE + 1, Verdict.UNCERTAIN),
        (Verdict.UNANSWERED, LAB_GRACE + 1, Verdict.LAPSED),
        (Verdict.UNCERTAIN, LAB_GRACE - 1, Verdict.UNCERTAIN),
        (Verdict.UNCERTAIN, LAB_GRACE + 1, Verdict.LAPSED),
    ],
)
def test_what_counts_depends_on_when_it_was_last_confirmed(found: Verdict, seconds_ago: float, counts: Verdict) -> None:
    assert settled(Finding(found), as_of=NOW - seconds_ago, now=NOW) is counts


@pytest.mark.parametrize("found", [one for one in Verdict if one is not Verdict.GONE])
def test_time_alone_never_says_no(found: Verdict) -> None:
    assert settled(Finding(found), as_of=0, now=NOW) is not Verdict.GONE


class SignsInMeanwhile:
    """A user whose old tokens are asked about while they sign in."""

    name = "bob"

    def __init__(self) -> None:
        self.states = [{AS_OF: 1.0}, {AS_OF: 2.0}]

    async def get_auth_state(self) -> dict[str, float]:
        return self.states.pop(0)


class Refusing(AuthRefreshMixin):
    log = logging.getLogger(__name__)

    async def ask_again(self, user: Any, auth_state: dict[str, Any]) -> Finding:
        return Finding(Verdict.ENDED)


def test_a_refusal_of_old_tokens_ends_no_sign_in_that_came_meanwhile() -> None:
    assert asyncio.run(Refusing().refresh_user(SignsInMeanwhile())) is True


def refusal(code: int, body: bytes) -> Finding:
    response = HTTPResponse(HTTPRequest("https://x.example"), code, buffer=io.BytesIO(body))
    return refusal_of(HTTPClientError(code, response=response))


@pytest.mark.parametrize(
    ("code", "body", "verdict"),
    [
        (400, b'{"error": "invalid_grant"}', Verdict.ENDED),
        (400, b'{"error": "invalid_grant", "error_description": "send them to the authorization endpoint again"}',
         Verdict.UNCERTAIN),
        (401, b'{"error": "invalid_client"}', Verdict.UNANSWERED),
        (429, b"slow down", Verdict.UNANSWERED),
        (502, b"<html>", Verdict.UNANSWERED),
        (400, b"[]", Verdict.UNANSWERED),
        (400, b"\xff", Verdict.UNANSWERED),
    ],
)  # fmt: skip
def test_only_a_refusal_that_is_about_the_user_takes_access_away(code: int, body: bytes, verdict: Verdict) -> None:
    """A secret of the hub that somebody changed, or a proxy in a bad mood, must not sign everybody out."""
    assert refusal(code, body).verdict is verdict


def test_the_hub_knows_the_words_of_the_bridge() -> None:
    assert IDENTITY_TOO_OLD in IdentityExpired.default_description


def request(method: str = "GET", path: str = "/hub/home", **headers: str) -> Any:
    given = HTTPHeaders({"Accept": "text/html,*/*", **{name.replace("_", "-"): text for name, text in headers.items()}})
    return SimpleNamespace(
        request=SimpleNamespace(method=method, path=path, headers=given), hub=SimpleNamespace(base_url="/hub/")
    )


@pytest.mark.parametrize(
    ("handler", "is_one"),
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
def test_only_who_waits_for_a_page_is_sent_on(handler: Any, is_one: bool) -> None:
    assert is_navigation(handler) is is_one


def test_files_of_the_site_are_read_in_order_and_see_what_was_decided(tmp_path: Path) -> None:
    (tmp_path / "20-b.py").write_text("c.Spawner.args = [*c.Spawner.args, 'b']\n")
    (tmp_path / "10-a.py").write_text("get_config().Spawner.args = [*c.Spawner.args, 'a']\n")
    (tmp_path / "README.md").write_text("not Python")
    c = Config()
    c.Spawner.args = ["shipped"]
    assert read_site(tmp_path, c) == ["10-a.py", "20-b.py"]
    assert c.Spawner.args == ["shipped", "a", "b"]


def test_a_site_without_files_of_its_own_is_usual(tmp_path: Path) -> None:
    assert read_site(tmp_path / "nowhere", Config()) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("c.A.b = 1\nc.A.b = nobody\n", "in line 2: NameError"),
        ("c.A.b = (\n", "in line 1: SyntaxError"),
        ("\n\nraise ValueError('no')\n", "in line 3: ValueError: no"),
    ],
)
def test_a_fault_is_named_with_file_and_line(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "50-x.py").write_text(text)
    with pytest.raises(SettingsError, match=r"deployment/conf\.d/50-x\.py is wrong") as caught:
        read_site(tmp_path, Config())
    assert words in str(caught.value)
