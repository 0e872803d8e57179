"""The recipes of the bridge: each registers a client, and its configuration parses in its language."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from bridge.oauth.clients import validate_client
from bridge.recipes.configuration import client_facts, fill_recipe
from bridge.recipes.model import Recipe, all_recipes, find_recipe
from bridge.recipes.templates import ESCAPES, RecipeError, escape, render, variables_in
from bridge.settings import ClientSettings
from tests.support.bridge.written_languages import texts_in

ROOT = Path(__file__).parents[4]
ISSUER = "https://auth.example.org"
SECRET = "s3cret-of_43-characters"
PLAIN_ONLY = ["env", "ini"]
NASTY_ID = "a'b\"c\\d#{e}$f`g`%h;i,j"
NASTY_ISSUER = "https://auth.example.org/it's-$(here)"
PLANNED = {
    *("command-line", "discourse", "django-allauth", "django-mozilla-oidc", "django-social-auth", "flask-authlib"),
    *("flask-dance", "forgejo", "gitea", "gitlab", "grafana", "jupyterhub", "kubernetes", "mattermost", "mediawiki"),
    *("mod-auth-openidc", "moodle", "nextcloud", "node-authjs", "node-openid-client", "node-passport", "oauth2-proxy"),
    *("pgadmin", "single-page-app", "synapse", "wordpress"),
}
RECIPES = [pytest.param(recipe, id=recipe.name) for recipe in all_recipes()]


def registered(recipe: Recipe, client_id: str = "app-1", url: str | None = None) -> ClientSettings:
    secret = {} if recipe.client.public else {"client_secret": SECRET}
    return validate_client({"client_id": client_id, **client_facts(recipe, url or recipe.example), **secret})


def texts(recipe: Recipe, client_id: str = "app-1", issuer: str = ISSUER) -> list[tuple[str, list[str]]]:
    """Return the language of each block, and the strings that its parser finds."""
    client = registered(recipe, client_id)
    secret = None if recipe.client.public else SECRET
    filled = fill_recipe(recipe, client, issuer=issuer, client_secret=secret, url=recipe.example)
    return [(block.language, texts_in(block.language, block.text)) for block in filled.blocks]


def test_every_planned_application_has_a_recipe() -> None:
    assert {recipe.name for recipe in all_recipes()} == PLANNED


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipe_registers_a_client(recipe: Recipe) -> None:
    client = registered(recipe, url=recipe.example and "http://localhost:8000/below/it")
    assert client.is_public is recipe.client.public
    assert set(recipe.client.grant_types) == set(client.grant_types)


@pytest.mark.parametrize("recipe", RECIPES)
def test_configuration_is_well_formed_and_complete(recipe: Recipe) -> None:
    found = texts(recipe)
    everything = "\n".join(value for _, values in found for value in values)
    assert "app-1" in everything
    assert ISSUER in everything
    assert recipe.client.public or SECRET in everything
    assert "{{ " not in everything.replace("{{ user.", "")
    assert re.findall(r"\{[a-z_]+\}", everything.replace("{redirect_uri}", "").replace("{id_token}", "")) == []


@pytest.mark.parametrize("recipe", RECIPES)
def test_special_characters_are_escaped_or_rejected(recipe: Recipe) -> None:
    languages = {block.language for block in recipe.blocks if "client_id" in variables_in(block.text)}
    if languages & set(PLAIN_ONLY):
        with pytest.raises(RecipeError, match="Choose another client id with --id"):
            texts(recipe, NASTY_ID)
        return
    for block, (_, values) in zip(recipe.blocks, texts(recipe, NASTY_ID, NASTY_ISSUER), strict=True):
        assert "client_id" not in variables_in(block.text) or any(NASTY_ID in value for value in values)
        assert "issuer" not in variables_in(block.text) or any(NASTY_ISSUER in value for value in values)


@pytest.mark.parametrize("recipe", RECIPES)
def test_requests_match_the_registration(recipe: Recipe) -> None:
    """A client without PKCE is confidential, and its page says so."""
    if "refresh_token" not in recipe.client.grant_types:
        assert "offline_access" not in recipe.client.scopes
    if not recipe.client.require_pkce:
        assert "PKCE" in recipe.tells.logout
        assert not recipe.client.public


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipe_has_sources_and_full_sentences(recipe: Recipe) -> None:
    assert all(page.startswith("https://") for page in recipe.derived_from)
    assert recipe.what.endswith(".")
    for said in (recipe.tells.groups, recipe.tells.refresh, recipe.tells.logout):
        assert said.endswith(".")


@pytest.mark.parametrize("recipe", RECIPES)
def test_named_test_file_exists(recipe: Recipe) -> None:
    assert recipe.run_with is None or (ROOT / recipe.run_with.test).is_file()


def test_logout_url_returns_to_a_registered_uri() -> None:
    recipe = find_recipe("grafana")
    client = registered(recipe)
    (block,) = fill_recipe(recipe, client, issuer=ISSUER, client_secret=SECRET, url=recipe.example).blocks
    out = re.search(r"^signout_redirect_url = (.*)$", block.text, re.MULTILINE)
    assert out
    assert out[1] == (
        f"{ISSUER}/logout?client_id=app-1&post_logout_redirect_uri=https%3A%2F%2Fgrafana.example.org%2Flogin"
    )


@pytest.mark.parametrize("recipe", RECIPES)
def test_bridge_logout_has_a_post_logout_uri(recipe: Recipe) -> None:
    reaches_bridge = re.search("redirects? to the bridge|session at the bridge, without", recipe.tells.logout)
    assert not reaches_bridge or recipe.client.post_logout_redirect_uris


@pytest.mark.parametrize("name", ["django-allauth", "django-mozilla-oidc", "django-social-auth"])
def test_django_site_below_a_path_redirects_to_it(name: str) -> None:
    recipe, url = find_recipe(name), "https://www.example.org/below/it"
    client = registered(recipe, url=url)
    filled = fill_recipe(recipe, client, issuer=ISSUER, client_secret=SECRET, url=url)
    led = re.findall(r'^LOG\w+_REDIRECT_URL = "(.*)"$', filled.blocks[0].text, re.MULTILINE)
    assert led
    assert {address.partition("?")[0] for address in led} <= {f"{url}/", f"{ISSUER}/logout"}


@pytest.mark.parametrize("recipe", [pytest.param(one, id=one.name) for one in all_recipes() if one.kind == "library"])
def test_library_recipe_lists_packages_to_install(recipe: Recipe) -> None:
    """The framework is listed too if the recipe contains the whole application."""
    (installed, *_) = re.findall(r"`(?:pip|npm) install ([^`]+)`", recipe.then) or [""]
    assert installed
    whole = any(block.into == "app.py" for block in recipe.blocks)
    assert not whole or "Flask" in installed.split()


@pytest.mark.parametrize("name", ["flask-authlib", "flask-dance"])
def test_flask_session_cookie_is_secure(name: str) -> None:
    """The session cookie contains the user and the tokens."""
    recipe = find_recipe(name)
    for url, is_secure in (("https://app.example.org", True), ("http://localhost:5000", False)):
        filled = fill_recipe(recipe, registered(recipe, url=url), issuer=ISSUER, client_secret=SECRET, url=url)
        module: dict[str, Any] = {"__name__": "app"}
        exec(compile(filled.blocks[0].text, "app.py", "exec"), module)
        assert module["app"].config["SESSION_COOKIE_SECURE"] is is_secure
        assert module["app"].config["SESSION_COOKIE_SAMESITE"] == "Lax"


def test_literal_braces_are_kept() -> None:
    recipe = find_recipe("pgadmin")
    (block,) = fill_recipe(recipe, registered(recipe), issuer=ISSUER, client_secret=SECRET, url=recipe.example).blocks
    assert "post_logout_redirect_uri={redirect_uri}&id_token_hint={id_token}" in block.text
    recipe = find_recipe("synapse")
    filled = fill_recipe(recipe, registered(recipe), issuer=ISSUER, client_secret=SECRET, url=recipe.example)
    assert 'localpart_template: "{{ user.preferred_username }}"' in filled.blocks[0].text


def test_random_values_differ_each_time() -> None:
    recipe = find_recipe("flask-authlib")
    client = registered(recipe)
    found = set()
    for _ in range(3):
        (block,) = fill_recipe(recipe, client, issuer=ISSUER, client_secret=SECRET, url=recipe.example).blocks
        found |= set(re.findall(r'secret_key = "([0-9a-f]{32})"', block.text))
    assert len(found) == 3


def test_every_language_has_a_reader_that_rejects_errors() -> None:
    broken = {
        "python": "a = (",
        "json": "{",
        "toml": "a = ",
        "yaml": "a: [",
        "ini": "no section",
        "env": "lower=1",
        "shell": "echo 'x",
        "apache": "<Location />",
        "form": "a name without a value",
        "html": "<form><button></form>",
        "javascript": "const = 1",
        "php": "$a = [",
        "ruby": "a = [ {",
    }
    assert broken.keys() == {block.language for recipe in all_recipes() for block in recipe.blocks}
    assert broken.keys() == ESCAPES.keys()
    for language, text in broken.items():
        with pytest.raises(Exception):  # noqa: B017, PT011  each parser has its own error
            texts_in(language, text)


@pytest.mark.parametrize("language", PLAIN_ONLY)
def test_language_without_quoting_accepts_plain_values_only(language: str) -> None:
    for value in ("https://auth.example.org/a?b=c&d=e%20", "openid profile"):
        assert escape(language, value) == value
    for value in ("a;b", "a#b", "a'b", 'a"b', "a$b", "a`b", "a\\b", "a{b}"):
        with pytest.raises(RecipeError, match="cannot hold the value"):
            escape(language, value)


def test_cas_group_admin_is_not_nextcloud_admin() -> None:
    """Nextcloud grants administration by the group name `admin`, and matches local accounts by name."""
    (block,) = find_recipe("nextcloud").blocks
    (written,) = re.findall(r"--group-whitelist-regex='/(.*)/i'", block.text)
    admits = re.compile(written, re.IGNORECASE)
    assert [name for name in ("admin", "Admin", "administration", "staff") if admits.search(name)] == [
        *("administration", "staff")
    ]
    assert "config:system:set user_oidc soft_auto_provision --type=boolean --value=false\n" in block.text


@pytest.mark.parametrize("name", ["discourse", "moodle"])
def test_address_matching_warns_about_takeover(name: str) -> None:
    assert re.search(r"found by (its|their) address.* administrator", find_recipe(name).then)


@pytest.mark.parametrize("recipe", RECIPES)
def test_command_with_visible_secret_warns(recipe: Recipe) -> None:
    for block in recipe.blocks:
        is_visible = re.search(r"--\S*secret[ =]'\{\{ client_secret \}\}'", block.text)
        assert not is_visible or "process list" in block.into


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{{ missing }}", "'missing' is undefined"),
        ("{{ url.__class__.__mro__ }}", "unsafe"),
        ("{{ random.__globals__ }}", "unsafe"),
        ("{{ random }}", "write {{ random() }}"),
        ("{{ 1 / 0 }}", "cannot be rendered"),
        ("{% if %}", "cannot be rendered"),
    ],
)
def test_template_error_is_a_recipe_error(template: str, says: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(says)):
        render(template, "form", {"url": "https://app.example.org", "random": lambda: "r"})


def test_every_expression_of_a_template_is_escaped() -> None:
    values = {"value": "a'b\"c"}
    assert render("'{{ value }}' '{{ value | upper }}'", "shell", values) == "'a'\\''b\"c' 'A'\\''B\"C'"
    assert render("{% for part in value %}{{ part }}{% endfor %}", "json", values) == "a'b\\\"c"
    assert render("[{{ items }}]", "yaml", {"items": ("a", 'b"')}) == '["a", "b\\""]'
