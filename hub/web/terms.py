"""The terms of use: the texts, which version is in force, and how they become a page.

HUB_TERMS_FILE names a file in the folder of notices, `terms.md` or `terms.txt`; siblings such as `terms.fr.md` are the same
terms in other languages. The version is a hash of all of them together: whoever accepted accepted what stood there.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup

from hub.config.settings import SettingsError
from hub.web.i18n import LANGUAGES

LARGEST = 200_000  # bytes
EVERY_LANGUAGE = ""  # the text that stands for languages without one of their own
log = logging.getLogger("terms")
# No HTML, no link but to web and mail addresses, and no picture: a reader's browser asks nobody else for anything.
_markdown = MarkdownIt("js-default").disable(["image", "linkify"])


@dataclass(frozen=True)
class Terms:
    """One version."""

    version: str
    texts: Mapping[str, str]
    is_markdown: bool

    def in_language(self, language: str) -> tuple[Markup, str]:
        """The text as a piece of a page, and the language it is in if it is known."""
        text = self.texts.get(language)
        shown = self.texts[EVERY_LANGUAGE] if text is None else text
        html = Markup(_markdown.render(shown)) if self.is_markdown else Markup("<pre>{}</pre>").format(shown)  # noqa: S704
        return html, "" if text is None else language


def read_terms(folder: Path, name: str) -> Terms:
    """The terms as they stand in the files.

    :raises OSError, ValueError: if they cannot be read or say nothing
    """
    main = folder / name
    texts = {EVERY_LANGUAGE: _read(main)}
    for language in LANGUAGES:
        translated = main.with_name(f"{main.stem}.{language}{main.suffix}")
        if translated.exists():
            texts[language] = _read(translated)
    hashed = hashlib.sha256()
    for language, text in sorted(texts.items()):
        hashed.update(f"{language}\0{len(text)}\0{text}".encode())
    return Terms(hashed.hexdigest(), texts, is_markdown=main.suffix == ".md")


def _read(path: Path) -> str:
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path.name} is larger than {LARGEST // 1000} kB")
    text = path.read_text(encoding="utf-8").strip()
    if not text:
        raise ValueError(f"{path.name} is empty")
    return text


class TermsInForce:
    """The terms of now: read anew when asked, so that a new version holds from its first reader on."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        try:
            self._last = read_terms(folder, name)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise SettingsError(
                f"the hub cannot start, the terms of use {name} cannot be read ({reason}): put them into deployment/notices/, "
                "or leave HUB_TERMS_FILE in .env empty."
            ) from None

    def now(self) -> Terms:
        """A file that is being written, or was taken away, does not open the door: the last terms hold on."""
        try:
            self._last = read_terms(self._folder, self._name)
        except (OSError, ValueError) as error:
            log.error("the terms of use cannot be read, those read before stay in force: %s", error)
        return self._last
