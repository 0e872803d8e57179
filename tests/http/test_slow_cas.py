"""A CAS that is too slow: sign-ins are rejected at once, other requests and the way back work."""

from __future__ import annotations

import html
import re

import pytest

from bridge.cas.circuit_breaker import MAX_TIMEOUTS
from bridge.web.context import EXTENSION
from bridge.web.login import ASKS_CAS, CAS_IS_BUSY
from tests.http.conftest import MakeBridge
from tests.http.world import HUB_SECRET, Running
from tests.support.bridge.actors import App, Browser, Response
from tests.support.cas import cas_scripts
from tests.support.cas.scripted_cas import ScriptedCas


@pytest.fixture
def impatient(make_bridge: MakeBridge, cas: ScriptedCas) -> Running:
    cas.script = cas_scripts.never_answers()
    return make_bridge(read_timeout=0.05)


def attempt(bridge: Running, **changes: str) -> tuple[Browser, App, Response]:
    browser, hub = Browser(bridge.wire), App(bridge.wire, secret=HUB_SECRET)
    return browser, hub, browser.sign_in(hub.authorization_url(**changes))


def retry_url(page: Response) -> str:
    (link,) = re.findall(r'<a class="button first" href="([^"]+)">Try again</a>', page.text)
    return html.unescape(link)


def test_repeated_timeouts_reject_sign_ins_at_once(impatient: Running, cas: ScriptedCas) -> None:
    statuses = [attempt(impatient)[2].status for _ in range(MAX_TIMEOUTS + 3)]
    assert statuses == [502] * MAX_TIMEOUTS + [503] * 3
    assert len(cas.validations) == MAX_TIMEOUTS


def test_readyz_and_metrics_report_slow_cas(impatient: Running) -> None:
    for _ in range(MAX_TIMEOUTS):
        attempt(impatient)
    ready = impatient.wire.send("GET", "/readyz")
    assert (ready.status, ready.json["status"]) == (200, "ready")
    assert "CAS does not respond" in ready.json["cas"]
    context = impatient.app.extensions[EXTENSION]
    assert b"passerelle_cas_not_responding 1.0" in context.metrics.render({})


@pytest.mark.parametrize("timeouts", [1, MAX_TIMEOUTS + 1])
def test_one_click_signs_in_again(make_bridge: MakeBridge, cas: ScriptedCas, timeouts: int) -> None:
    bridge = make_bridge(read_timeout=0.05)
    cas.script = cas_scripts.never_answers()
    for _ in range(timeouts):
        browser, hub, page = attempt(bridge)
    cas.script = None
    bridge.app.extensions[EXTENSION].cas._circuit_breaker._next_request_at = 0.0
    assert hub.extract_code(browser.sign_in(retry_url(page)))


def test_busy_callback_is_a_translated_503(make_bridge: MakeBridge, cas: ScriptedCas) -> None:
    bridge = make_bridge()
    answer_request = bridge.app.wsgi_app
    bridge.app.wsgi_app = lambda environ, start: answer_request(environ | {CAS_IS_BUSY: True}, start)  # type: ignore[method-assign]  # Flask documents it
    browser, hub = Browser(bridge.wire), App(bridge.wire, secret=HUB_SECRET)
    callback = browser.log_in_at_cas(browser.get(hub.authorization_url()))
    page = browser.get(callback, **{"Accept-Language": "fr"})
    assert (page.status, page.headers["Retry-After"]) == (503, "10")
    assert "Réessayer" in page.text
    assert not cas.validations


def test_thread_that_waits_for_cas_does_not_count_as_computing(make_bridge: MakeBridge, cas: ScriptedCas) -> None:
    """Otherwise a class behind one address would have few tickets validated at once."""
    bridge = make_bridge()
    answer_request = bridge.app.wsgi_app
    validations: list[int] = []
    asks_cas = {ASKS_CAS: lambda: validations.append(len(cas.validations))}
    bridge.app.wsgi_app = lambda environ, start: answer_request(environ | asks_cas, start)  # type: ignore[method-assign]  # Flask documents it
    attempt(bridge)
    assert validations == [0], "reported before CAS is asked"
    assert len(cas.validations) == 1


def test_prompt_none_returns_busy_to_client(impatient: Running) -> None:
    for _ in range(MAX_TIMEOUTS):
        attempt(impatient)
    answer = attempt(impatient, prompt="none")[2]
    assert answer.parameters["error"] == "temporarily_unavailable"
