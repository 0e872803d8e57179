"""The shared gettext catalogue and language negotiation."""

from __future__ import annotations

import pytest

from passerelle_common.i18n import Message, negotiate_language, translate


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("fr", "fr"),
        ("fr-CA, en;q=0.5", "fr"),
        ("en;q=0.4, fr;q=0.8", "fr"),
        ("de, it", "en"),
        ("fr;q=0", "en"),
        ("fr;q=x", "en"),
        ("en-GB,en;q=0.9,fr;q=0.8", "en"),
        ("de,fr;q=0.5,en;q=0.4", "fr"),
        ("*", "en"),
        (";;;,,,q=,fr;q=x", "en"),
        pytest.param("x" * 100_000, "en", id="long tag"),
        pytest.param("de," * 10_000 + "fr", "en", id="many tags"),
    ],
)
def test_best_accepted_language_is_chosen(header: str, language: str) -> None:
    assert negotiate_language(header) == language


def test_message_is_translated_before_facts_are_filled_in() -> None:
    message = Message("just now %(x)s", {"x": "100 %(y)s"})
    assert str(message) == "just now 100 %(y)s"


def test_known_message_is_translated() -> None:
    assert translate("just now", "fr").startswith("à l")


def test_unknown_language_falls_back_to_english() -> None:
    assert translate("just now", "xx") == "just now"
