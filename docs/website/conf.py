"""Sphinx configuration of the documentation site; `make docs` builds it into build/docs.

Pages are plain Markdown for readers of the repository. The site keeps the repository's tree, so links between pages
work in both. This file adds the navigation. A page without a section and a broken link or anchor fail the build
(`--fail-on-warning`).
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

# Each entry is a page or a pattern; a pattern adds the matching pages that no other entry names, sorted by name.
SECTIONS = {
    "The bridge": ["docs/install", "docs/cas", "docs/clients/README", "docs/settings", "docs/cli"],
    "The hub": ["docs/operating", "docs/students", "lab/README"],
    "Monitoring and security": ["SECURITY", "docs/security/*", "docs/audit", "docs/metrics", "docs/performance"],
    "Project": [
        "README",
        "docs/architecture",
        "docs/conformance",
        "docs/openid-modules",
        "docs/decisions/README",
        "CHANGELOG",
    ],
}
# Pages listed below another page.
BELOW = {
    "docs/operating": [
        *(
            f"docs/hub/{name}"
            for name in ("site", "sign-in", "edge", "origins", "labs", "storage", "network", "lifecycle")
        ),
        "docs/hub/*",
    ],
    "docs/clients/README": ["docs/clients/*"],
    "docs/decisions/README": ["docs/decisions/*"],
}
# Navigation titles for pages whose heading is too short out of context.
TITLES = {
    "README": "README",
    "docs/clients/README": "Connect an application",
    "docs/performance": "Performance",
    "docs/openid-modules": "OpenID certification modules",
    "lab/README": "Lab image",
}

extensions = ["myst_parser"]
include_patterns = ["*.md", "docs/**.md", "lab/README.md"]
# Directories without pages; some contain thousands of files, some private data.
exclude_patterns = [".*", "archives", "backups", "bridge", "build", "deployment", "hub", "node_modules", "tests"]
# Anchors as in the repository view.
myst_heading_anchors = 6
# Two hyphens in a sentence belong to a command option.
smartquotes = False
# Snippets with placeholders, or in a language without a lexer, are fine.
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
    """Register the navigation with Sphinx."""
    app.connect("source-read", add_navigation)


def add_navigation(app: Sphinx, docname: str, source: list[str]) -> None:
    """Append all sections to the start page, and the list of subpages to a page that has some."""
    pages = app.env.found_docs
    if docname == root_doc:
        source[0] += "".join(toctree(chosen(entries, pages), caption) for caption, entries in SECTIONS.items())
    elif docname in BELOW:
        source[0] += toctree(chosen(BELOW[docname], pages), "")


def chosen(entries: Iterable[str], pages: Iterable[str]) -> Iterator[str]:
    """Yield the pages that match the entries; skip missing ones, because some are generated."""
    named = {entry for several in (*SECTIONS.values(), *BELOW.values()) for entry in several} | {root_doc}
    for entry in entries:
        if "*" in entry:
            yield from sorted(page for page in pages if fnmatchcase(page, entry) and page not in named)
        elif entry in pages:
            yield entry


def toctree(pages: Iterable[str], caption: str) -> str:
    """Return a hidden MyST toctree for the sidebar."""
    lines = [f"{TITLES[page]} </{page}>" if page in TITLES else f"/{page}" for page in pages]
    options = [":hidden:", *([f":caption: {caption}"] if caption else [])]
    return "\n".join(["\n\n```{toctree}", *options, "", *lines, "```\n"]) if lines else ""
