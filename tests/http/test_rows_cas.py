"""What CAS might answer though this bridge never asked for it (the cases cas17, cas18)."""

from __future__ import annotations

import pytest

from tests.support.bridge.actors import App, Browser
from tests.support.cas import cas_answers, cas_scripts
from tests.support.cas.scripted_cas import ScriptedCas


@pytest.mark.parametrize(
    ("body", "signs_in"),
    [
        pytest.param(b"yes\nalice\n", True, id="cas17-yes"),
        pytest.param(b"no\n\n", False, id="cas17-no"),
        pytest.param(cas_answers.json_success(), True, id="cas18-success"),
        pytest.param(
            cas_answers.json_answer(authenticationFailure={"code": "INVALID_TICKET"}), False, id="cas18-failure"
        ),
    ],
)
def test_an_answer_is_read_by_what_it_is_whatever_was_asked(
    browser: Browser, hub: App, cas: ScriptedCas, body: bytes, signs_in: bool
) -> None:
    """Servers ignore `format`, and some addresses answer in the form of another."""
    cas.script = cas_scripts.says(body)
    answer = browser.sign_in(hub.authorization_url())
    if signs_in:
        token = hub.redeem(hub.extract_code(answer)).json["access_token"]
        assert hub.fetch_userinfo(token).json["sub"] == "alice"
    else:  # to CAS once more, then a page
        assert browser.get(browser.log_in_at_cas(answer)).status == 403
        assert "__Host-passerelle-session" not in browser.cookies
