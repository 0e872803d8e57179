"""Translations: one gettext catalogue for the pages, messages and commands of the bridge and the hub.

English is the source language, so a message without a translation is shown in English. Mark a message where it is
written with `gettext_noop`, or build it as a `Message` where it holds facts; `make translations` collects both, and
`{% trans %}` and `_()` in templates.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

SOURCE_LANGUAGE = "en"
LANGUAGES = (SOURCE_LANGUAGE, "fr")
LOCALE_DIR = Path(__file__).parent / "translations"
MAX_ACCEPTED_LANGUAGES = 20


def gettext_noop(message: str) -> str:
    """Mark an English message, with facts as `%(name)s`, for extraction and return it unchanged."""
    return message


@dataclass(frozen=True, slots=True)
class Message:
    """A translatable message with its facts, such as `Message("No image named %(name)s.", {"name": "x"})`."""

    msgid: str
    facts: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the message in English."""
        return self.translate(SOURCE_LANGUAGE)

    def translate(self, language: str) -> str:
        """Return the message in a language; see `translate`."""
        return translate(self.msgid, language, **self.facts)


@cache
def translations(language: str) -> NullTranslations:
    """Return the catalogue of a language; an empty one for English and for unknown languages."""
    if language == SOURCE_LANGUAGE or language not in LANGUAGES:
        return NullTranslations()
    with (LOCALE_DIR / language / "LC_MESSAGES" / "messages.mo").open("rb") as catalogue:
        return GNUTranslations(catalogue)


def translate(msgid: str, language: str, /, **facts: object) -> str:
    """Translate a message and fill in its facts; languages other than `LANGUAGES` are treated as English."""
    text = translations(language).gettext(msgid) if msgid else ""
    return text % facts if facts else text


def is_translated(msgid: str, language: str) -> bool:
    """Return whether a message reads as intended in a language, that is, exists in its catalogue."""
    return language == SOURCE_LANGUAGE or translations(language).gettext(msgid) != msgid


def negotiate_language(accept_language: str) -> str:
    """Return the best match of `LANGUAGES` for an `Accept-Language` header (RFC 9110 §12.5.4), or English."""
    candidates = []
    for position, item in enumerate(accept_language.split(",")[:MAX_ACCEPTED_LANGUAGES]):
        tag, _, parameter = item.strip().partition(";")
        language = tag.strip().lower().replace("_", "-").partition("-")[0]
        if language in LANGUAGES:
            candidates.append((-_quality(parameter), position, language))
    accepted = [language for quality, _, language in sorted(candidates) if quality < 0]
    return accepted[0] if accepted else SOURCE_LANGUAGE


def _quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    try:
        return min(1.0, float(value)) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0
