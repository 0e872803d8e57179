"""CAS responses in an unexpected format (cases cas17, cas18)."""

from __future__ import annotations

import pytest

from tests.support.bridge.actors import App, Browser
from tests.support.cas import cas_responses, cas_scripts
from tests.support.cas.scripted_cas import ScriptedCas


@pytest.mark.parametrize(
    ("body", "signs_in"),
    [
        pytest.param(b"yes\nalice\n", True, id="cas17-yes"),
        pytest.param(b"no\n\n", False, id="cas17-no"),
        pytest.param(cas_responses.json_success(), True, id="cas18-success"),
        pytest.param(
            cas_responses.json_response(authenticationFailure={"code": "INVALID_TICKET"}), False, id="cas18-failure"
        ),
    ],
)
def test_response_is_parsed_by_its_own_format(
    browser: Browser, hub: App, cas: ScriptedCas, body: bytes, signs_in: bool
) -> None:
    """Some servers ignore `format` or respond in another format."""
    cas.script = cas_scripts.reply(body)
    answer = browser.sign_in(hub.authorization_url())
    if signs_in:
        token = hub.redeem(hub.extract_code(answer)).json["access_token"]
        assert hub.fetch_userinfo(token).json["sub"] == "alice"
    else:  # a second redirect to CAS, then a page
        assert browser.get(browser.log_in_at_cas(answer)).status == 403
        assert "__Host-passerelle-session" not in browser.cookies
