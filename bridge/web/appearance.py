"""The appearance of the pages: logo, accent colour and support contact.

Links and buttons get a lighter or darker shade of the colour where the contrast requires it (WCAG 2.2, 1.4.3).
"""

from dataclasses import dataclass
from pathlib import Path

from bridge.errors import ConfigurationError
from bridge.settings import Settings

MIN_CONTRAST = 4.5  # ratio for normal text, WCAG 2.2 level AA
MAX_LOGO_BYTES = 512 * 1024
# The backgrounds of bridge.css with the least contrast: the page in light mode, a card in dark mode.
LIGHT_BACKGROUND = "#f3f4f6"
DARK_BACKGROUND = "#1c232d"
THEME = """:root {{ --accent: {light}; --on-accent: {on_light}; }}
@media (prefers-color-scheme: dark) {{ :root {{ --accent: {dark}; --on-accent: {on_dark}; }} }}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appearance:
    """The appearance of every page."""

    theme: str
    """Stylesheet with the colours of links and buttons."""
    logo: tuple[bytes, str] | None
    """The content and its media type."""
    support_contact: str


def load_appearance(settings: Settings) -> Appearance:
    """Read the logo and compute the theme; raise ConfigurationError if the logo is not usable."""
    logo = None if settings.logo_file is None else read_logo(settings.logo_file)
    return Appearance(theme=theme(settings.accent_color), logo=logo, support_contact=settings.support_contact)


def read_logo(path: Path) -> tuple[bytes, str]:
    """Read a logo. Its media type comes from the content, not from the file name."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError([f"PASSERELLE_LOGO_FILE: cannot read {path}: {error.strerror}"]) from None
    if len(content) > MAX_LOGO_BYTES:
        raise ConfigurationError([f"PASSERELLE_LOGO_FILE: {path} is larger than {MAX_LOGO_BYTES // 1024} kB"])
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return content, "image/png"
    if b"<svg" in content[:4096]:
        return content, "image/svg+xml"
    raise ConfigurationError([f"PASSERELLE_LOGO_FILE: {path} is neither an SVG nor a PNG picture"])


def theme(accent_color: str) -> str:
    """Return the generated part of the stylesheet."""
    light = _legible_shade(accent_color, LIGHT_BACKGROUND, towards="#000000")
    dark = _legible_shade(accent_color, DARK_BACKGROUND, towards="#ffffff")
    return THEME.format(light=light, on_light=_text_on(light), dark=dark, on_dark=_text_on(dark))


def _legible_shade(color: str, background: str, *, towards: str) -> str:
    """Return the nearest shade towards black or white with enough contrast on a background."""
    steps = (_mix(color, towards, share / 20) for share in range(21))
    return next(shade for shade in steps if contrast(shade, background) >= MIN_CONTRAST)


def _text_on(background: str) -> str:
    """Return white or black, whichever has more contrast; one of them always has enough."""
    return max("#ffffff", "#000000", key=lambda text: contrast(text, background))


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of WCAG 2.2, from 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _mix(color: str, other: str, share: float) -> str:
    channels = [round(a + (b - a) * share) for a, b in zip(_channels(color), _channels(other), strict=True)]
    return "#{:02x}{:02x}{:02x}".format(*channels)


def _channels(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _luminance(color: str) -> float:
    """Return the relative luminance of WCAG 2.2."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in _channels(color))]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
