"""The words of our pages in the reader's language: English as written in the templates, and French.

Sentences of the engine's failures and of refusals come in English from where they arise; they are looked up here as
well, so that one table holds all French of the hub.
"""

from __future__ import annotations

import re

from hub.web.french import FRENCH

SOURCE_LANGUAGE = "en"
LANGUAGES = (SOURCE_LANGUAGE, "fr")


def language_of(accepted: str) -> str:
    """The first of our languages that a browser asks for, by its `Accept-Language`."""
    wishes = []
    for position, wish in enumerate(accepted.split(",")[:20]):
        tag, _, weight = wish.strip().partition(";")
        language = tag.strip().lower().partition("-")[0]
        if language in LANGUAGES:
            wishes.append((-_weight_of(weight), position, language))
    asked = [language for weight, _, language in sorted(wishes) if weight < 0]
    return asked[0] if asked else SOURCE_LANGUAGE


def _weight_of(text: str) -> float:
    name, _, value = text.strip().partition("=")
    try:
        return min(1.0, float(value)) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0


def translate(sentence: str, language: str) -> str:
    """The sentence in a language, or as it is."""
    return FRENCH.get(sentence, sentence) if language == "fr" else sentence


def translate_finished(sentence: str, language: str) -> str:
    """A sentence that already holds its facts, such as the name of an image."""
    if language == SOURCE_LANGUAGE or sentence in FRENCH:
        return translate(sentence, language)
    for english, french in FRENCH.items():
        if "{" in english and (found := _pattern(english).fullmatch(sentence)):
            return french.format(**found.groupdict())
    return sentence


def _pattern(sentence: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", sentence)
    return re.compile("".join(f"(?P<{part}>.*)" if odd % 2 else re.escape(part) for odd, part in enumerate(parts)))
