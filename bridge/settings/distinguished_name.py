"""Parser for distinguished names (https://www.rfc-editor.org/rfc/rfc4514).

Invalid names are rejected, because group membership depends on them. Spaces around separators are accepted, because
administrators write them in settings.
"""

import re
from dataclasses import dataclass
from typing import Self

_TYPE = r"[A-Za-z][A-Za-z0-9-]*+|[0-9]++(?:\.[0-9]++)++"
_STRING = r'(?:[^\x00"+,;<>\\]|\\[ "#+,;<=>\\]|\\[0-9A-Fa-f]{2})*+'
# Possessive quantifiers prevent backtracking: a value can be 64 KiB of untrusted text.
_PAIR = re.compile(rf"[ ]*+({_TYPE})[ ]*+=[ ]*+({_STRING})")
_PIECE = re.compile(r'\\([ "#+,;<=>\\])|((?:\\[0-9A-Fa-f]{2})++)|([^\\])')
_COMMON_NAME = frozenset({"cn", "commonname", "2.5.4.3"})


@dataclass(frozen=True, slots=True)
class DistinguishedName:
    """A distinguished name, most specific part first. Each part is a tuple of (type, value) pairs."""

    parts: tuple[tuple[tuple[str, str], ...], ...]

    def key(self) -> tuple[frozenset[tuple[str, str]], ...]:
        """Return a key that is equal for names that a directory considers equal, ignoring case and repeated spaces."""
        return tuple(
            frozenset((_type(name), " ".join(value.casefold().split())) for name, value in part) for part in self.parts
        )

    def is_directly_below(self, base: Self) -> bool:
        """Return whether this name is an immediate child of a base."""
        return self.key()[1:] == base.key()

    @property
    def common_name(self) -> str | None:
        """The cn, if the first part has no other attribute."""
        (name, value), *others = self.parts[0]
        return value if not others and _type(name) == "cn" else None


def parse_distinguished_name(text: str) -> DistinguishedName:
    """Parse a distinguished name, or raise ValueError."""
    parts: list[tuple[tuple[str, str], ...]] = []
    pairs: list[tuple[str, str]] = []
    at, separator = 0, ","
    while separator:
        found = _PAIR.match(text, at)
        if found is None:
            raise ValueError("is not a distinguished name like cn=staff,ou=groups,dc=example,dc=org")
        pairs.append((found[1], _value(found[2])))
        at = found.end()
        separator = text[at : at + 1]
        if separator not in ("", ",", "+"):
            raise ValueError(f"has a character after {found[1]}=… that must be escaped with a backslash")
        if separator != "+":
            parts.append(tuple(pairs))
            pairs = []
        at += 1
    return DistinguishedName(tuple(parts))


def _type(name: str) -> str:
    return "cn" if name.lower() in _COMMON_NAME else name.lower()


def _value(raw: str) -> str:
    """Unescape a value and strip unescaped trailing spaces."""
    if raw.startswith("#"):
        raise ValueError("has a hexadecimal value, which is not supported: write it as text")
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
