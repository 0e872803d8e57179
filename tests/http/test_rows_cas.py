"""What CAS might say or send though this bridge never asked for it (the cases cas17, cas18, cas24, cas25)."""

from __future__ import annotations

import pytest

from tests.support import cas_scripts
from tests.support.actors import App, Browser
from tests.support.scripted_cas import ScriptedCas


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"yes\nalice\n", id="cas17-yes"),
        pytest.param(b"no\n\n", id="cas17-no"),
        pytest.param(b'{"serviceResponse":{"authenticationSuccess":{"user":"alice"}}}', id="cas18-success"),
        pytest.param(b'{"serviceResponse":{"authenticationFailure":{"code":"INVALID_TICKET"}}}', id="cas18-failure"),
    ],
)
def test_an_answer_of_another_protocol_signs_nobody_in(
    browser: Browser, hub: App, cas: ScriptedCas, body: bytes
) -> None:
    """CAS 1 and JSON answers are never asked for, so one that comes is not believed."""
    cas.script = cas_scripts.says(body)
    assert browser.signs_in(hub.sends()).status == 502
    assert "__Host-passerelle-session" not in browser.cookies


@pytest.mark.parametrize("ticket", ["ST-1", "", "<"])
def test_single_logout_of_cas_is_not_there_yet_and_harms_nobody_cas24_cas25(
    browser: Browser, hub: App, ticket: str
) -> None:
    """It comes with the upstream's own step; tickets are kept with their sessions from now on, so that it can."""
    token = hub.redeems(hub.takes_code(browser.signs_in(hub.sends()))).json["access_token"]
    message = f"<samlp:LogoutRequest><samlp:SessionIndex>{ticket}</samlp:SessionIndex></samlp:LogoutRequest>"
    assert browser.posts("/cas/logout", {"logoutRequest": message}).status == 404
    assert hub.asks_who(token).status == 200
