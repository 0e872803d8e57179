"""Distinguished names as text: https://www.rfc-editor.org/rfc/rfc4514. Pure.

What is not one is refused rather than guessed at: groups, and with them privileges, are read from these. Spaces
around the separators are allowed, because people write them into settings.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TYPE = r"[A-Za-z][A-Za-z0-9-]*+|[0-9]++(?:\.[0-9]++)++"
_STRING = r'(?:[^\x00"+,;<>\\]|\\[ "#+,;<=>\\]|\\[0-9A-Fa-f]{2})*+'
# Possessive throughout: a value is up to 64 KiB of somebody's choice, and must be read in one pass.
_PAIR = re.compile(rf"[ ]*+({_TYPE})[ ]*+=[ ]*+({_STRING})")
_PIECE = re.compile(r'\\([ "#+,;<=>\\])|((?:\\[0-9A-Fa-f]{2})++)|([^\\])')
_COMMON_NAME = frozenset({"cn", "commonname", "2.5.4.3"})


@dataclass(frozen=True, slots=True)
class Pair:
    """One `type=value`."""

    type: str
    value: str

    def key(self) -> tuple[str, str]:
        """For comparing: directories know neither case nor repeated spaces in the names of branches and groups."""
        name = self.type.lower()
        return "cn" if name in _COMMON_NAME else name, " ".join(self.value.casefold().split())


@dataclass(frozen=True, slots=True)
class DistinguishedName:
    """A name and the branch it is in; the first part is the name itself."""

    parts: tuple[tuple[Pair, ...], ...]

    def key(self) -> tuple[frozenset[tuple[str, str]], ...]:
        """Equal for two names that a directory takes for the same."""
        return tuple(frozenset(pair.key() for pair in part) for part in self.parts)

    def is_directly_below(self, base: DistinguishedName) -> bool:
        """Whether it is a child of this branch: a grandchild can have the same first part as its aunt."""
        return self.key()[1:] == base.key()

    @property
    def common_name(self) -> str | None:
        """The cn, when it alone is the first part."""
        first = self.parts[0]
        return first[0].value if len(first) == 1 and first[0].key()[0] == "cn" else None


def parse_distinguished_name(text: str) -> DistinguishedName:
    """Read one.

    :raises ValueError: when the text is anything else
    """
    parts: list[tuple[Pair, ...]] = []
    pairs: list[Pair] = []
    at, separator = 0, ","
    while separator:
        found = _PAIR.match(text, at)
        if found is None:
            raise ValueError("is not a distinguished name like cn=staff,ou=groups,dc=example,dc=org")
        pairs.append(Pair(found[1], _value(found[2])))
        at = found.end()
        separator = text[at : at + 1]
        if separator not in ("", ",", "+"):
            raise ValueError(f"has a character after {found[1]}=… that has to be escaped by a backslash")
        if separator != "+":
            parts.append(tuple(pairs))
            pairs = []
        at += 1
    return DistinguishedName(tuple(parts))


def _value(raw: str) -> str:
    """Without escapes, and without the spaces at its end that are not escaped."""
    if raw.startswith("#"):
        raise ValueError("has a value in hexadecimal, which is not read here: write it as text")
    pieces: list[str] = []
    kept = 0
    for special, octets, plain in _PIECE.findall(raw):
        try:
            pieces.append(special or plain or bytes.fromhex(octets.replace("\\", "")).decode())
        except UnicodeDecodeError:
            raise ValueError("has escaped octets that are not UTF-8") from None
        if plain != " ":
            kept = len(pieces)
    return "".join(pieces[:kept])
