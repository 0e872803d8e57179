"""Every page in a real browser: light and dark, on a phone in French and on a desktop in English.

axe checks accessibility (WCAG 2.2 A and AA, and its best practices). The screenshots are in `pages/` of the artifacts
folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright

from tests.support.bridge.actors import Wire
from tests.support.bridge.live_bridge import LiveBridge
from tests.support.browser import CHROMIUM_FLAGS, artifacts_dir, chromium_path
from tests.support.cas.scripted_cas import ScriptedCas
from tests.support.hub.visits import CLIENTS, PAGES, Visit

pytestmark = [pytest.mark.e2e, pytest.mark.needs("browser")]
LOGO = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 48">
<rect width="96" height="48" rx="6" fill="#0b7285"/>
<path d="M8 34q40-34 80 0" fill="none" stroke="#fff" stroke-width="5"/></svg>"""
DEVICES = {
    "desktop": {"viewport": {"width": 1280, "height": 900}, "locale": "en-GB"},
    "phone": {"viewport": {"width": 320, "height": 640}, "locale": "fr-FR", "is_mobile": True, "has_touch": True},
}
MIN_TARGET_HEIGHT = 44  # CSS pixels, WCAG 2.2, 2.5.5
numbers = count(1)


@pytest.fixture(scope="module")
def cas() -> Iterator[ScriptedCas]:
    with ScriptedCas() as cas:
        yield cas


@pytest.fixture(scope="module")
def clients(cas: ScriptedCas) -> list[dict[str, Any]]:
    """Return clients on their own hosts; the scripted upstream responds to their URLs."""
    return [
        {**client, "redirect_uris": [f"http://{client['client_id']}.localhost:{cas.port}/callback"]}
        for client in CLIENTS
    ]


@pytest.fixture(scope="module")
def bridge(
    cas: ScriptedCas, clients: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveBridge]:
    folder = tmp_path_factory.mktemp("pages")
    (folder / "logo.svg").write_text(LOGO)
    settings = {
        "PASSERELLE_SUPPORT_CONTACT": "help@example.org",
        "PASSERELLE_LOGO_FILE": str(folder / "logo.svg"),
        "PASSERELLE_ACCENT_COLOR": "#0b7285",
    }
    with LiveBridge(folder, cas_url=cas.url, clients=clients, settings=settings) as bridge:
        yield bridge


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), headless=True, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=list(DEVICES))
def device(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def visit(chromium: Browser, bridge: LiveBridge, cas: ScriptedCas, scheme: str, device: str) -> Iterator[Visit]:
    groups = [f"cn=group-{n},ou=groups,dc=example,dc=org" for n in range(7)]
    name = f"alice{next(numbers)}"
    facts = {"displayName": ["Alice Liddell"], "mail": [f"{name}@example.org"], "groups": groups}
    cas.sign_in_as(name, facts)
    context = chromium.new_context(**DEVICES[device], color_scheme=scheme, reduced_motion="reduce")
    context.set_default_timeout(15_000)
    yield Visit(context.new_page(), bridge, Wire(bridge.url, port=bridge.port))
    context.close()


@pytest.mark.parametrize("scheme", ["light"], indirect=True)
@pytest.mark.parametrize("name", PAGES)
def test_pages_are_accessible(visit: Visit, name: str, device: str) -> None:
    page, blocked, requested = visit.page, [], []
    page.on("console", lambda message: blocked.append(message.text) if "Security Policy" in message.text else None)
    page.on("request", lambda request: requested.append(request.url))
    PAGES[name](visit)
    faults = [fault for scheme in ("light", "dark") for fault in faults_of_page(visit, name, device, scheme)]
    own = {urlsplit(visit.bridge.url).netloc, urlsplit(visit.page.url).netloc}

    assert faults == []
    assert not blocked
    assert {urlsplit(url).netloc for url in requested if url.endswith((".css", ".js", "/logo"))} <= own


def faults_of_page(visit: Visit, name: str, device: str, scheme: str) -> Iterator[str]:
    """Find accessibility and layout faults of the open page in one colour scheme; keep a screenshot."""
    page = visit.page
    page.emulate_media(color_scheme=scheme)
    folder = artifacts_dir() / "pages"
    folder.mkdir(exist_ok=True)
    page.screenshot(path=folder / f"{name}-{device}-{scheme}.png", full_page=True)
    found = Axe().run(page)
    if found.violations_count:
        yield f"{scheme}: {found.generate_report()}"
    if (language := page.locator("html").get_attribute("lang")) != ("fr" if device == "phone" else "en"):
        yield f"{scheme}: the language is {language}"
    if not page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
        yield f"{scheme}: the page scrolls sideways"
    for pressed in page.locator("button, .button, summary").all():
        box = pressed.bounding_box()
        if box is None or box["height"] < MIN_TARGET_HEIGHT:
            yield f"{scheme}: {pressed.inner_text()!r} is lower than {MIN_TARGET_HEIGHT} pixels: {box}"


@pytest.mark.parametrize("name", ["consent", "account"])
def test_keyboard_focus_is_visible_everywhere(visit: Visit, name: str) -> None:
    PAGES[name](visit)
    page = visit.page
    pressed = page.locator("a[href], button, summary").count()
    page.locator("body").press("Tab")
    for _ in range(pressed):
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
        assert outline == "3px", page.evaluate("document.activeElement.outerHTML")
        page.keyboard.press("Tab")


@pytest.mark.parametrize("device", ["desktop"], indirect=True)
@pytest.mark.parametrize("scheme", ["light"], indirect=True)
def test_user_grants_and_revokes_access(visit: Visit) -> None:
    visit.lets_application_in("notebook")
    page = visit.page
    page.goto(f"{visit.bridge.url}/")
    page.get_by_role("heading", name="Cahiers de calcul").wait_for()
    page.get_by_role("button", name="End access").click()
    page.get_by_text("No applications.").wait_for()
    assert page.url == f"{visit.bridge.url}/"
    page.reload()  # of a GET, so that no form is sent twice
    assert page.get_by_role("heading", name="Cahiers de calcul").count() == 0


@pytest.mark.parametrize("device", ["desktop"], indirect=True)
@pytest.mark.parametrize("scheme", ["light"], indirect=True)
def test_user_signs_out_everywhere(visit: Visit) -> None:
    visit.lets_application_in("wiki")
    visit.page.goto(f"{visit.bridge.url}/")
    visit.page.get_by_role("button", name="Sign out everywhere").click()
    visit.page.get_by_role("heading", name="You are signed out").wait_for()
    visit.page.goto(f"{visit.bridge.url}/")
    visit.page.get_by_role("heading", name="Sign-in service").wait_for()


@pytest.mark.parametrize("device", ["desktop"], indirect=True)
@pytest.mark.parametrize("scheme", ["light"], indirect=True)
def test_script_in_logo_does_not_run(visit: Visit, tmp_path: Path, cas: ScriptedCas) -> None:
    logo = tmp_path / "logo.svg"
    logo.write_text(LOGO.replace("</svg>", "<script>document.documentElement.id = 'ran'</script></svg>"))
    settings = {"PASSERELLE_LOGO_FILE": str(logo)}
    with LiveBridge(tmp_path, cas_url=cas.url, clients=visit.clients, settings=settings) as bridge:
        visit.page.goto(f"{bridge.url}/static/logo")
        assert visit.page.evaluate("document.documentElement.id") == ""
        visit.page.goto(f"{bridge.url}/")
        assert visit.page.evaluate("document.querySelector('img').naturalWidth") > 0
