"""Tests of the appearance: accent colour and logo."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import bridge
from bridge.errors import ConfigurationError
from bridge.web.appearance import DARK_BACKGROUND, LIGHT_BACKGROUND, MIN_CONTRAST, contrast, read_logo, theme
from tests.http.conftest import MakeBridge
from tests.support.bridge.actors import Browser
from tests.support.bridge.html_forms import parse_tags

STYLESHEET = Path(bridge.__file__).parent / "static" / "bridge.css"
HTML = {"Accept": "text/html"}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(
    "color", ["#1d4ed8", "#000000", "#ffffff", "#ffe600", "#808080", "#e4002b", "#00FF00", "#777777"]
)
def test_theme_has_enough_contrast_for_any_colour(color: str) -> None:
    light, dark = re.findall(r"--accent: (#\w{6}); --on-accent: (#\w{6})", theme(color))
    for (accent, text), background in ((light, LIGHT_BACKGROUND), (dark, DARK_BACKGROUND)):
        assert contrast(accent, background) >= MIN_CONTRAST
        assert contrast(text, accent) >= MIN_CONTRAST


def test_legible_colour_is_unchanged() -> None:
    assert "--accent: #1d4ed8; --on-accent: #ffffff" in theme("#1d4ed8")


def test_theme_backgrounds_match_the_stylesheet() -> None:
    style = STYLESHEET.read_text()
    assert f"--page: {LIGHT_BACKGROUND}" in style
    assert f"--card: {DARK_BACKGROUND}" in style


def test_accent_colour_is_in_the_theme(make_bridge: MakeBridge) -> None:
    browser = Browser(make_bridge(accent_color="#8b0000").wire)
    assert ("link", {"rel": "stylesheet", "href": "/static/theme.css"}) in parse_tags(browser.get("/").text)
    style = browser.get("/static/theme.css")
    assert style.headers["Content-Type"] == "text/css; charset=utf-8"
    assert "--accent: #8b0000" in style.text
    assert browser.get("/static/theme.css", **{"If-None-Match": style.headers["ETag"]}).status == 304


@pytest.mark.parametrize(("content", "media_type"), [(PNG, "image/png"), (SVG, "image/svg+xml")])
def test_logo_is_served_as_an_image_only(
    make_bridge: MakeBridge, tmp_path: Path, content: bytes, media_type: str
) -> None:
    path = tmp_path / "logo.html"  # the file name does not decide
    path.write_bytes(content)
    browser = Browser(make_bridge(logo_file=str(path)).wire)
    assert '<img src="/static/logo" alt="">' in browser.get("/").text
    logo = browser.get("/static/logo")
    assert (logo.body, logo.headers["Content-Type"]) == (content, media_type)
    assert logo.headers["X-Content-Type-Options"] == "nosniff"
    policy = logo.headers["Content-Security-Policy"].split("; ")
    assert policy[0] == "default-src 'none'"
    assert "sandbox" in policy
    assert "script" not in logo.headers["Content-Security-Policy"]


def test_no_logo_by_default(make_bridge: MakeBridge) -> None:
    browser = Browser(make_bridge().wire)
    assert "<img" not in browser.get("/").text
    assert browser.get("/static/logo", **HTML).status == 404


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"<html><script>alert(1)</script></html>", "neither an SVG nor a PNG"),
        (b"", "neither an SVG nor a PNG"),
        (PNG + bytes(600 * 1024), "larger than 512 kB"),
        (None, "cannot read"),
    ],
)
def test_invalid_logo_is_a_configuration_error(tmp_path: Path, content: bytes | None, fault: str) -> None:
    path = tmp_path / "logo.svg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=f"PASSERELLE_LOGO_FILE: .*{fault}"):
        read_logo(path)
