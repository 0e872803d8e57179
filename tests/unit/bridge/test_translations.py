"""The catalogues are complete, valid and compiled."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path

from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

ROOT = Path(__file__).parents[3]
CATALOGUE = ROOT / "passerelle_common" / "translations" / "fr" / "LC_MESSAGES" / "messages.po"
SOURCES = tuple(str(ROOT / name) for name in ("bridge", "hub"))


def test_all_texts_are_translated_and_compiled() -> None:
    with (ROOT / "babel.cfg").open() as lines:
        methods, options = parse_mapping_cfg(lines)
    marked = extract_from_dir(
        ROOT,
        methods,
        options,
        keywords={"gettext_noop": None, "Message": None, "_": None, "gettext": None, "ngettext": (1, 2)},
        directory_filter=lambda path: str(path).startswith(SOURCES),
    )
    with CATALOGUE.open("rb") as file:
        catalogue = read_po(file, locale="fr")
    untranslated = [text for _, _, text, _, _ in marked if not (entry := catalogue.get(text)) or not entry.string]
    assert not untranslated, (
        "run `make translations` and fill in passerelle_common/translations/fr/LC_MESSAGES/messages.po"
    )
    assert not [str(fault) for _, faults in catalogue.check() for fault in faults]
    fresh = BytesIO()
    write_mo(fresh, catalogue)
    assert fresh.getvalue() == CATALOGUE.with_suffix(".mo").read_bytes(), "run `make translations`"


def test_translations_have_the_placeholders_of_their_message() -> None:
    with CATALOGUE.open("rb") as file:
        catalogue = read_po(file, locale="fr")
    entries = [(entry.id, entry.string) for entry in catalogue if entry.id]
    assert [pair for pair in entries if _placeholders(pair[0]) != _placeholders(pair[1])] == []


def _placeholders(texts: str | tuple[str, ...]) -> set[str]:
    """Return the placeholders of a message, or of all its plural forms."""
    return set(re.findall(r"%\(\w+\)\w", " ".join([texts] if isinstance(texts, str) else texts)))
