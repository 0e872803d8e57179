"""The documentation site in a real browser, opened from disk: light and dark, on a phone, without scripts.

axe checks accessibility (WCAG 2.2 A and AA, and its best practices).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.browser import CHROMIUM_FLAGS, chromium_path
from tests.support.docs_site import ROOT, build

pytestmark = [pytest.mark.e2e, pytest.mark.needs("browser")]
# One page of each kind: the first page, wide tables, long code, the search.
PAGES = ["docs/README", "docs/cas", "docs/hub/storage", "search"]
DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 360, "height": 720}, "is_mobile": True, "has_touch": True}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site") / "html"
    assert build(ROOT, out).returncode == 0
    return out


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), headless=True, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.mark.parametrize(("scheme", "device"), [("light", DESKTOP), ("dark", PHONE)], ids=["desktop", "phone"])
def test_documentation_pages_are_accessible(
    chromium: Browser, site: Path, scheme: str, device: dict[str, object]
) -> None:
    context = chromium.new_context(**device, color_scheme=scheme, reduced_motion="reduce")
    page, requested = context.new_page(), []
    page.on("request", lambda request: requested.append(request.url))
    found = {}
    for name in PAGES:
        page.goto((site / f"{name}.html").as_uri())
        result = Axe().run(page)
        found |= {f"{name}: {result.generate_report()}": 1} if result.violations_count else {}
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} scrolls sideways"
    context.close()

    assert list(found) == []
    assert [url for url in requested if not url.startswith("file:")] == []


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_dark_mode_and_navigation_without_scripts(chromium: Browser, site: Path, scheme: str, dark: bool) -> None:
    context = chromium.new_context(**PHONE, color_scheme=scheme, java_script_enabled=False)
    page = context.new_page()
    page.goto((site / "index.html").as_uri())
    page.wait_for_url(re.compile("docs/README.html$"))
    assert (_brightness(page) < 80) is dark
    link = page.locator(".sidebar-tree").get_by_role("link", name=re.compile("^Performance"))
    expect(link).not_to_be_in_viewport()
    page.locator("label.nav-overlay-icon").click()
    expect(link).to_be_in_viewport()
    link.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Performance of a sign-in")
    context.close()


def test_search_works_from_disk(chromium: Browser, site: Path) -> None:
    page = chromium.new_page()
    page.goto((site / "docs" / "README.html").as_uri())
    page.get_by_role("searchbox").or_(page.get_by_placeholder("Search")).first.fill("rotate-secret")
    page.keyboard.press("Enter")
    expect(page.locator("#search-results").get_by_role("link", name="The command line").first).to_be_visible()
    page.close()


def _brightness(page: Page) -> int:
    """Return the brightness of the page's background, from 0 to 255."""
    colours = page.locator("body").evaluate("element => getComputedStyle(element).backgroundColor")
    return max(int(part) for part in re.findall(r"\d+", colours)[:3])
