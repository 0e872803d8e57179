"""The site that `make docs` makes: built here as there, so that nothing in it leads nowhere, nothing is left out of the
navigation, and reading it asks no other server for anything."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from markdown_it import MarkdownIt

from tests.support.docs_site import PAGES, ROOT, build

# What a browser fetches to show a page, as against what it opens when somebody follows a link.
FETCHED = {("script", "src"), ("img", "src"), ("link", "href"), ("source", "src"), ("iframe", "src"), ("use", "href")}


class Page(HTMLParser):
    """What one HTML file fetches, links to and can be linked at."""

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


def test_every_page_of_the_repository_is_one_of_the_site(pages: dict[Path, Page], site: Path) -> None:
    built = {file.relative_to(site).with_suffix(".md").as_posix() for file in pages}

    assert built - {"index.md", "search.md"} == {page.relative_to(ROOT).as_posix() for page in PAGES}


def test_every_page_is_in_the_navigation(pages: dict[Path, Page], site: Path) -> None:
    first = site / "docs" / "README.html"
    sidebar = re.search(r'<div class="sidebar-tree">.*?</div>', first.read_text("utf-8"), re.DOTALL)
    assert sidebar
    led_to = {(first.parent / href).resolve() for href in re.findall(r'href="([^"#]+)"', sidebar[0])}

    assert set(pages) - led_to - {site / "index.html", site / "search.html", first} == set()


def test_every_link_and_every_anchor_of_the_site_is_there(pages: dict[Path, Page]) -> None:
    """Apart from what Sphinx checks itself, and of what it makes itself."""
    astray = []
    for file, page in pages.items():
        for link in (*page.links, *page.fetches):
            address = urlsplit(link)
            target = (file.parent / unquote(address.path)).resolve() if address.path else file
            if address.scheme or link == "#":  # that is furo's way to the top of the page
                continue
            if not target.is_file() or (
                address.fragment and target.suffix == ".html" and unquote(address.fragment) not in pages[target].ids
            ):
                astray.append(f"{file.name}: {link}")

    assert astray == []


def test_nothing_is_fetched_from_another_server(pages: dict[Path, Page], site: Path) -> None:
    fetched = {name for page in pages.values() for name in page.fetches}
    from_styles = [
        address
        for style in site.rglob("*.css")
        for address in re.findall(r"(?:url\(|@import\s+)['\"]?([^'\")]+)", style.read_text("utf-8"))
    ]

    assert fetched
    assert [name for name in (*fetched, *from_styles) if re.match(r"(\w+:)?//", name)] == []


def test_the_site_begins_at_its_index(site: Path) -> None:
    assert Page(site / "index.html").links == ["docs/README.html"]


def test_every_column_has_a_name(site: Path) -> None:
    """For whoever hears a table instead of seeing it."""
    unnamed = [f for f in site.rglob("*.html") if re.search(r"<th[^>]*>(<p>\s*</p>)?</th>", f.read_text("utf-8"))]

    assert unnamed == []


def test_a_fault_in_a_page_stops_the_build(tmp_path: Path) -> None:
    """Three pages: the first, one with links that lead nowhere, and one that no section of the navigation names."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "website").symlink_to(ROOT / "docs" / "website")
    astray = ["nowhere.md", "README.md#no-heading", "#not-here", "website/"]
    links = "\n\n".join(f"[leads nowhere]({link})" for link in astray)
    for name, text in {"README": "", "cas": links, "unnamed": ""}.items():
        (tmp_path / "docs" / f"{name}.md").write_text(f"# A heading\n\n{text}\n", "utf-8")

    done = build(tmp_path, tmp_path / "html")

    assert done.returncode == 1
    told = [line for line in done.stderr.splitlines() if "WARNING" in line]
    assert [line for line in told if "unnamed.md" in line and "toctree" in line]
    assert [
        link for link in astray if not [line for line in told if f"'{link.partition('#')[2] or link}'" in line]
    ] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_to_elsewhere_are_addresses(page: Path) -> None:
    """Nobody is asked whether they are there; http is for what runs on the reader's own machine."""
    for link in _links(page):
        address = urlsplit(link)
        if address.scheme or address.netloc:
            assert address.scheme == "https" or (address.scheme, address.hostname) == ("http", "localhost"), link
            assert re.fullmatch(r"(localhost|[a-z0-9-]+(\.[a-z0-9-]+)+)", address.hostname or ""), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_reference_style_link_has_its_address(page: Path) -> None:
    """Without one, `[text][name]` is shown as it is written, and no generator says so."""
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
    texts = [child.content for token in tokens for child in token.children or () if child.type == "text"]

    assert [text for text in texts if re.search(r'(?<!\w)\[[^]"]+\](\[|\()', text)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_nothing_that_it_says_is_taken_for_a_tag(page: Path) -> None:
    """`<id>` outside of code is a tag that nobody sees."""
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
    every = [*tokens, *(child for token in tokens for child in token.children or ())]

    assert {token.content for token in every if token.type in {"html_inline", "html_block"}} <= {"<br>"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_files_and_folders_of_ours_that_it_names_are_there(page: Path) -> None:
    named = re.compile(
        r"(bridge|demo|docs|edge|hub|lab|monitoring|requirements|tests)/([\w.-]+/)*(\w+|[\w-]+\.(py|md))?"
    )
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
    codes = {c.content for token in tokens for c in token.children or () if c.type == "code_inline"}

    assert [code for code in sorted(codes) if named.fullmatch(code) and not (ROOT / code).exists()] == []


def _links(page: Path) -> list[str]:
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
    inline = [child for token in tokens for child in token.children or ()]
    return [
        str(child.attrGet("href") or child.attrGet("src")) for child in inline if child.type in {"link_open", "image"}
    ]
