"""The site of `make docs`: links, navigation, and no external resources."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.support.docs_site import PAGES, ROOT, build

# Resources that a browser loads with a page, in contrast to links that a user follows.
FETCHED = {("script", "src"), ("img", "src"), ("link", "href"), ("source", "src"), ("iframe", "src"), ("use", "href")}


class Page(HTMLParser):
    """Resources, links and anchors of an HTML file."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.fetches: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if (tag, name) in FETCHED:
                self.fetches.append(value or "")
            elif (tag, name) == ("a", "href"):
                self.links.append(value or "")
            elif name == "id":
                self.ids.add(value or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site") / "html"
    done = build(ROOT, out)
    assert (done.returncode, done.stderr) == (0, "")
    return out


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {file: Page(file) for file in sorted(site.rglob("*.html"))}


def test_site_contains_every_page(pages: dict[Path, Page], site: Path) -> None:
    built = {file.relative_to(site).with_suffix(".md").as_posix() for file in pages}

    assert built - {"index.md", "search.md"} == {page.relative_to(ROOT).as_posix() for page in PAGES}


def test_navigation_contains_every_page(pages: dict[Path, Page], site: Path) -> None:
    first = site / "docs" / "README.html"
    sidebar = re.search(r'<div class="sidebar-tree">.*?</div>', first.read_text("utf-8"), re.DOTALL)
    assert sidebar
    linked = {(first.parent / href).resolve() for href in re.findall(r'href="([^"#]+)"', sidebar[0])}

    assert set(pages) - linked - {site / "index.html", site / "search.html", first} == set()


def test_site_links_and_anchors_exist(pages: dict[Path, Page]) -> None:
    """Check links that Sphinx does not check, and those that it generates."""
    broken = []
    for file, page in pages.items():
        for link in (*page.links, *page.fetches):
            address = urlsplit(link)
            target = (file.parent / unquote(address.path)).resolve() if address.path else file
            if address.scheme or link == "#":  # furo's link to the top of the page
                continue
            if not target.is_file() or (
                address.fragment and target.suffix == ".html" and unquote(address.fragment) not in pages[target].ids
            ):
                broken.append(f"{file.name}: {link}")

    assert broken == []


def test_site_loads_no_external_resource(pages: dict[Path, Page], site: Path) -> None:
    fetched = {name for page in pages.values() for name in page.fetches}
    from_styles = [
        address
        for style in site.rglob("*.css")
        for address in re.findall(r"(?:url\(|@import\s+)['\"]?([^'\")]+)", style.read_text("utf-8"))
    ]

    assert fetched
    assert [name for name in (*fetched, *from_styles) if re.match(r"(\w+:)?//", name)] == []


def test_site_index_redirects_to_first_page(site: Path) -> None:
    assert Page(site / "index.html").links == ["docs/README.html"]


def test_table_columns_have_headers(site: Path) -> None:
    """Screen readers announce the headers of a table."""
    unnamed = [f for f in site.rglob("*.html") if re.search(r"<th[^>]*>(<p>\s*</p>)?</th>", f.read_text("utf-8"))]

    assert unnamed == []


def test_page_errors_stop_site_build(tmp_path: Path) -> None:
    """Build three pages: the first, one with broken links, and one missing from the navigation."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "website").symlink_to(ROOT / "docs" / "website")
    broken = ["nowhere.md", "README.md#no-heading", "#not-here", "website/"]
    links = "\n\n".join(f"[broken]({link})" for link in broken)
    for name, text in {"README": "", "cas": links, "unnamed": ""}.items():
        (tmp_path / "docs" / f"{name}.md").write_text(f"# A heading\n\n{text}\n", "utf-8")

    done = build(tmp_path, tmp_path / "html")

    assert done.returncode == 1
    warnings = [line for line in done.stderr.splitlines() if "WARNING" in line]
    assert [line for line in warnings if "unnamed.md" in line and "toctree" in line]
    assert [
        link for link in broken if not [line for line in warnings if f"'{link.partition('#')[2] or link}'" in line]
    ] == []


def test_external_links_are_valid_urls() -> None:
    """Check the form of URLs without requests; http is allowed for localhost only."""
    assert _faults(lambda page: [link for link in _links(page) if not _is_valid(link)]) == {}


def test_reference_links_are_defined() -> None:
    """Without a definition, `[text][name]` is shown literally, without a warning."""
    unresolved = re.compile(r'(?<!\w)\[[^]"]+\](\[|\()')
    assert _faults(lambda page: [text for text in _contents(page, "text") if unresolved.search(text)]) == {}


def test_page_text_contains_no_html_tags() -> None:
    """`<id>` outside of code is an invisible tag."""
    assert _faults(lambda page: set(_contents(page, "html_inline", "html_block")) - {"<br>"}) == {}


def test_named_repository_paths_exist() -> None:
    named = re.compile(
        r"(bridge|demo|docs|edge|hub|lab|monitoring|requirements|tests)/([\w.-]+/)*(\w+|[\w-]+\.(py|md))?"
    )

    def missing(page: Path) -> list[str]:
        codes = sorted(set(_contents(page, "code_inline")))
        return [code for code in codes if named.fullmatch(code) and not (ROOT / code).exists()]

    assert _faults(missing) == {}


def _faults(check: Callable[[Path], Collection[str]]) -> dict[str, Collection[str]]:
    """Return the faults of all pages by page."""
    return {page.relative_to(ROOT).as_posix(): faults for page in PAGES if (faults := check(page))}


@cache
def _tokens(page: Path) -> list[Token]:
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
    return [*tokens, *(child for token in tokens for child in token.children or ())]


def _contents(page: Path, *kinds: str) -> list[str]:
    return [token.content for token in _tokens(page) if token.type in kinds]


def _is_valid(link: str) -> bool:
    address = urlsplit(link)
    if not (address.scheme or address.netloc):
        return True
    is_allowed = address.scheme == "https" or (address.scheme, address.hostname) == ("http", "localhost")
    return is_allowed and re.fullmatch(r"(localhost|[a-z0-9-]+(\.[a-z0-9-]+)+)", address.hostname or "") is not None


def _links(page: Path) -> list[str]:
    found = [token for token in _tokens(page) if token.type in {"link_open", "image"}]
    return [str(token.attrGet("href") or token.attrGet("src")) for token in found]
