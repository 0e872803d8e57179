"""Loading recipe files, and parsing the URL of an application."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.recipes.configuration import application_url
from bridge.recipes.model import all_recipes, find_recipe
from bridge.recipes.templates import RecipeError
from bridge.settings.urls import redirect_uri_fault

GOOD = """
title = "Mine"
what = "An application of our own."
derived_from = ["https://docs.example.org/"]
describes = "1.0"
example = "https://mine.example.org"
[client]
redirect_uris = ["{{ url }}/callback"]
[[blocks]]
into = "mine.ini"
language = "toml"
text = 'id = "{{ client_id }}"'
[tells]
groups = "-."
refresh = "-."
logout = "-."
"""
TRIED = '[tried_with]\nversion = "Mine 1.1"\nday = 2026-11-23\nsteps = ["sign-in"]\n'
RUN = '[run_with]\nversion = "Mine 1.1"\ntest = "tests/clients/test_mine.py"\n'


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("https://app.example.org", "https://app.example.org"),
        ("https://app.example.org/", "https://app.example.org"),
        ("  https://app.example.org ", "https://app.example.org"),
        ("https://app.example.org/below/it/", "https://app.example.org/below/it"),
        ("https://App.Example.org/Below", "https://app.example.org/Below"),
        ("HTTPS://app.example.org", "https://app.example.org"),
        ("https://app.example.org:443/x", "https://app.example.org/x"),
        ("https://app.example.org:8443", "https://app.example.org:8443"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://app.localhost", "http://app.localhost"),
        ("http://127.0.0.1:80/", "http://127.0.0.1"),
        ("http://[::1]:3000/", "http://[::1]:3000"),
        ("https://app.example.org/%7Eme", "https://app.example.org/%7Eme"),
        ("https://app.example.org/caf%C3%A9%20bar", "https://app.example.org/caf%C3%A9%20bar"),
        ("https://xn--caf-dma.example.org", "https://xn--caf-dma.example.org"),
    ],
)
def test_application_url_is_normalized(typed: str, meant: str) -> None:
    assert application_url(typed) == meant


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("", "is not complete"),
        ("app.example.org", "type it like https://app.example.org"),
        ("app.example.org:8443/x", "type it like https://app.example.org:8443/x"),
        ("https:app.example.org", "type it like https://app.example.org"),
        ("https:///x", "is not complete"),
        ("ftp://app.example.org", "is not complete"),
        ("javascript:alert(1)", "is not complete"),
        ("http://app.example.org", "is plain http"),
        ("http://localhost.example.org", "is plain http"),
        ("https://app.example.org/#top", "from the # on"),
        ("https://app.example.org?x=1", "from the ? on"),
        ("https://app.example.org/?", "from the ? on"),
        ("https://me@app.example.org", "user name"),
        ("https://me:secret@app.example.org", "user name"),
        ("https://*.example.org", "wildcard"),
        ("https://app.example.org/a b", "space"),
        ("https://app.example.org/a'b", "quote"),
        ("https://app.example.org/{x}", "other character"),
        ("https://app.example.org/%zz", "other character"),
        ("https://app.example.org\\x", "other character"),
        ("https://app.example.org/\x00", "other character"),
        ("https://café.example.org", "xn--"),
        ("https://app.example.org:0", "a port"),
        ("https://app.example.org:99999", "is not valid"),
        ("https://app.example.org:x", "is not valid"),
        ("https://[::1", "is not valid"),
        ("https://app,example.org", "invalid host"),
        ("https://app.example.org/a/../b", "'..'"),
        ("https://app.example.org/a//b", "'//'"),
        ("https://app.example.org//", "'//'"),
        ("https://app.example.org/%2E%2e/b", "'..'"),
        ("https://app.example.org/a%2Fb", "%2F"),
        ("https://app.example.org/[ab]", "wildcard"),
        ("https://app.example.org/%5Bab%5D", "wildcard"),
        ("https://app.example.org/a%2A", "wildcard"),
        ("https://app.example.org/a%3Fb", "wildcard"),
        ("https://app.example.org/a%22b", "quote"),
        ("https://app.example.org/a%0Ab", "other character"),
        ("https://app.example.org/caf%E9", "UTF-8"),
    ],
)
def test_invalid_application_url_is_rejected_without_secrets(typed: str, says: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        application_url(typed)
    assert says in str(refused.value)
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)


@given(st.text() | st.from_regex(r"https?://[!-~]{0,30}", fullmatch=True))
def test_any_text_is_rejected_or_a_valid_redirect_base(typed: str) -> None:
    try:
        url = application_url(typed)
    except ValueError:
        return
    assert redirect_uri_fault(f"{url}/callback") is None
    assert application_url(url) == url


def test_own_recipe_file_is_accepted(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(GOOD)
    assert find_recipe(str(file)).name == "mine"
    assert find_recipe(str(file)) not in all_recipes()
    file.write_text(GOOD, encoding="utf-8-sig")  # with the byte order mark that Windows editors write
    assert find_recipe(str(file)).name == "mine"


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ('title = "Mine"', "", "title: Field required"),
        ('title = "Mine"', 'title = "Mi\\u001b[31mne"', "control character"),
        ('language = "toml"', 'language = "to\\u0007ml"', "control character"),
        ('groups = "-."', 'groups = "\\u202e-."', "control character"),
        ('title = "Mine"', 'titel = "Mine"', "titel: Extra inputs"),
        ("{{ client_id }}", "{{ client_key }}", "unknown placeholder {{ client_key }}"),
        ("{{ url }}/callback", "{{ issuer }}/callback", "unknown placeholder {{ issuer }}"),
        ("{{ client_id }}", "{client_id}", "write {{ client_id }} instead of {client_id}"),
        ("{{ url }}/callback", "{url}/callback", "write {{ url }} instead of {url}"),
        ('groups = "-."', 'groups = "See {issuer}."', "write {{ issuer }} instead of {issuer}"),
        ("{{ client_id }}", "{% raw %}{client_id}{% endraw %}", None),
        ("{{ client_id }}", "${host}{mine}{ url }", None),
        ('language = "toml"', 'language = "cobol"', "unknown language cobol"),
        ('example = "https://mine.example.org"', "", "an example is required"),
        ("[client]", "[client]\npublic = true\nscopes = [", "is not TOML"),
        ('id = "{{ client_id }}"', 'id = "{{ client_secret }}"', None),
        ("redirect_uris", "public = true\nredirect_uris", None),
        ('redirect_uris = ["{{ url }}/callback"]', "redirect_uris = []", "client.redirect_uris"),
        ("[client]", f"{TRIED}[client]", None),
        ("[client]", f"{TRIED}{RUN}[client]", "run_with and tried_with are both given"),
        ("[client]", TRIED.replace('["sign-in"]', "[]") + "[client]", "tried_with.steps"),
        ("[client]", TRIED.replace("2026-11-23", '"lately"') + "[client]", "tried_with.day"),
    ],
)
def test_invalid_recipe_is_rejected_by_field(tmp_path: Path, before: str, after: str, says: str | None) -> None:
    file = tmp_path / "mine.toml"
    assert before in GOOD
    file.write_text(GOOD.replace(before, after, 1))
    if says is None:
        find_recipe(str(file))
        return
    with pytest.raises(RecipeError) as refused:
        find_recipe(str(file))
    assert says in refused.value.description
    assert str(file) in refused.value.description


def test_public_recipe_cannot_use_client_secret(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(GOOD.replace("client_id", "client_secret").replace("[client]", "[client]\npublic = true"))
    with pytest.raises(RecipeError, match="a public client has no"):
        find_recipe(str(file))


def test_unreadable_or_oversized_recipe_is_rejected(tmp_path: Path) -> None:
    binary, long = tmp_path / "binary.toml", tmp_path / "long.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    long.write_text("#" * 200_000)
    (deep := tmp_path / "deep.toml").write_text("x = " + "[" * 50_000)
    for name, says in {
        str(tmp_path / "absent.toml"): "No such file",
        str(tmp_path) + "/": "Cannot read",
        str(binary): "not UTF-8",
        str(long): "is longer than",
        str(deep): "is not TOML",
        "../recipes/model.py": "Cannot read|No such file",
    }.items():
        with pytest.raises(RecipeError, match=says):
            find_recipe(name)


@pytest.mark.parametrize(
    ("typed", "near"),
    [
        *(("grafanna", "grafana"), ("Grafana", "grafana"), ("keycloak", None)),
        *(
            ("apache", "mod-auth-openidc"),
            ("mozilla", "django-mozilla-oidc"),
            ("Passport", "node-passport"),
            ("a", None),
        ),
        ("django", "django-allauth, django-mozilla-oidc or django-social-auth"),
    ],
)
def test_unknown_recipe_name_gets_suggestions(typed: str, near: str | None) -> None:
    with pytest.raises(RecipeError, match="`passerelle clients recipes` lists all recipes") as refused:
        find_recipe(typed)
    assert ("Did you mean" in refused.value.description) is (near is not None)
    assert near is None or f"Did you mean {near}?" in refused.value.description
