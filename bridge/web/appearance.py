"""What an institution may change of the pages: a logo, one colour, whom to ask.

The colour is taken as it was meant, but never so that a text cannot be read: links and buttons get a lighter or
darker shade of it where the background asks for one (WCAG 2.2, 1.4.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bridge.errors import ConfigurationError

LEGIBLE = 4.5  # contrast ratio of ordinary text, WCAG 2.2 level AA
LOGO_MAXIMAL_BYTES = 512 * 1024
# The backgrounds of bridge.css that are hardest to read on: the page by day, a card by night.
LIGHT_BACKGROUND = "#f3f4f6"
DARK_BACKGROUND = "#1c232d"
THEME = """:root {{ --accent: {light}; --on-accent: {on_light}; }}
@media (prefers-color-scheme: dark) {{ :root {{ --accent: {dark}; --on-accent: {on_dark}; }} }}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logo:
    """A picture that is served as nothing but that."""

    content: bytes
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Appearance:
    """The look of every page."""

    theme: str
    """A stylesheet that sets the colours of links and buttons."""
    logo: Logo | None
    support_contact: str


def appearance_of(*, accent_color: str, logo_file: Path | None, support_contact: str) -> Appearance:
    """Read once, at the start.

    :raises ConfigurationError: when the logo cannot be shown
    """
    return Appearance(
        theme=theme(accent_color),
        logo=None if logo_file is None else read_logo(logo_file),
        support_contact=support_contact,
    )


def read_logo(path: Path) -> Logo:
    """The type is told by the content: a name can say anything."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError([f"PASSERELLE_LOGO_FILE: cannot read {path}: {error.strerror}"]) from None
    if len(content) > LOGO_MAXIMAL_BYTES:
        raise ConfigurationError([f"PASSERELLE_LOGO_FILE: {path} is larger than {LOGO_MAXIMAL_BYTES // 1024} kB"])
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return Logo(content=content, media_type="image/png")
    if b"<svg" in content[:4096]:
        return Logo(content=content, media_type="image/svg+xml")
    raise ConfigurationError([f"PASSERELLE_LOGO_FILE: {path} is neither an SVG nor a PNG picture"])


def theme(accent_color: str) -> str:
    """The generated part of the stylesheet."""
    light = legible(accent_color, LIGHT_BACKGROUND, towards="#000000")
    dark = legible(accent_color, DARK_BACKGROUND, towards="#ffffff")
    return THEME.format(light=light, on_light=text_on(light), dark=dark, on_dark=text_on(dark))


def legible(color: str, background: str, *, towards: str) -> str:
    """The nearest shade of a colour, on the way to black or white, that can be read on a background."""
    steps = (mixed(color, towards, share / 20) for share in range(21))
    return next(shade for shade in steps if contrast(shade, background) >= LEGIBLE)


def text_on(background: str) -> str:
    """White or black, whichever can be read better; one of them always can."""
    return max("#ffffff", "#000000", key=lambda text: contrast(text, background))


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, "contrast ratio": from 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def mixed(color: str, other: str, share: float) -> str:
    """A colour with a share of another in it."""
    channels = [round(a + (b - a) * share) for a, b in zip(_channels(color), _channels(other), strict=True)]
    return "#{:02x}{:02x}{:02x}".format(*channels)


def _channels(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _luminance(color: str) -> float:
    """WCAG 2.2, "relative luminance"."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in _channels(color))]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
