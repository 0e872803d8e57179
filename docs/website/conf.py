"""How Sphinx makes the site: `make docs` writes it into build/docs.

Pages are written for whoever reads them in the repository, in plain Markdown; nothing in them is for this site. It has
the repository's own tree, so a link between two pages that works there works here. What is missing there is the
navigation, and that is owned by this file: a page that stands in no section stops the build, and so does a link or an
anchor that leads nowhere (`--fail-on-warning`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "Passerelle"
author = "the authors of Passerelle"
language = "en"
root_doc = "docs/README"

# Each entry is a page or a pattern; a pattern brings, by name, what no entry of any section names by itself.
SECTIONS = {
    "The bridge": ["docs/install", "docs/cas", "docs/clients/README", "docs/settings", "docs/cli"],
    "The hub": ["docs/operating", "docs/students", "lab/README"],
    "Keeping watch": ["SECURITY", "docs/audit", "docs/metrics", "docs/performance"],
    "The house": [
        "README",
        "docs/architecture",
        "docs/conformance",
        "docs/openid-modules",
        "docs/decisions/README",
        "CHANGELOG",
    ],
}
# The pages below a page.
BELOW = {
    "docs/operating": [
        *(f"docs/hub/{name}" for name in ("site", "sign-in", "edge", "labs", "storage", "network", "lifecycle")),
        "docs/hub/*",
    ],
    "docs/clients/README": ["docs/clients/*"],
    "docs/decisions/README": ["docs/decisions/*"],
}
# Of pages whose heading says too little beside the others.
TITLES = {
    "README": "The repository's first page",
    "docs/clients/README": "Connect an application",
    "docs/performance": "Performance",
    "docs/openid-modules": "OpenID, module by module",
    "lab/README": "The lab's image",
}

extensions = ["myst_parser"]
include_patterns = ["*.md", "docs/**.md", "lab/README.md"]
# Not to be walked through: some hold thousands of files, some what is nobody's business.
exclude_patterns = [".*", "archives", "backups", "bridge", "build", "deployment", "hub", "node_modules", "tests"]
# Anchors as the repository's own view makes them.
myst_heading_anchors = 6
# Two hyphens in a sentence are an option's.
smartquotes = False
# A snippet with a gap to fill in, or in a language without colours, is no fault of the page.
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
html_title = "Passerelle"
html_static_path = ["static"]
templates_path = ["templates"]
html_css_files = ["site.css"]
html_additional_pages = {"index": "first_page.html"}
html_copy_source = False
html_show_sphinx = False
html_use_index = False
html_domain_indices = False
html_permalinks_icon = "#"


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", add_navigation)


def add_navigation(app: Sphinx, docname: str, source: list[str]) -> None:
    """Give the first page all sections, and a page that has others below it their list."""
    pages = app.env.found_docs
    if docname == root_doc:
        source[0] += "".join(toctree(chosen(entries, pages), caption) for caption, entries in SECTIONS.items())
    elif docname in BELOW:
        source[0] += toctree(chosen(BELOW[docname], pages), "")


def chosen(entries: Iterable[str], pages: Iterable[str]) -> Iterator[str]:
    """The pages that the entries stand for. One that is not there is left out: some are made by a program."""
    named = {entry for several in (*SECTIONS.values(), *BELOW.values()) for entry in several} | {root_doc}
    for entry in entries:
        if "*" in entry:
            yield from sorted(page for page in pages if fnmatchcase(page, entry) and page not in named)
        elif entry in pages:
            yield entry


def toctree(pages: Iterable[str], caption: str) -> str:
    """As MyST reads it, for the sidebar alone."""
    lines = [f"{TITLES[page]} </{page}>" if page in TITLES else f"/{page}" for page in pages]
    options = [":hidden:", *([f":caption: {caption}"] if caption else [])]
    return "\n".join(["\n\n```{toctree}", *options, "", *lines, "```\n"]) if lines else ""
