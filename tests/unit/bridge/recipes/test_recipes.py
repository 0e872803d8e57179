"""The recipes that come with the bridge: each can be registered, filled in, and read by what it is written for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from bridge.oauth.clients import validate_client
from bridge.recipes import Recipe, RecipeError, all_recipes, client_facts, configuration, find_recipe
from bridge.recipes.templates import ESCAPES, PLAIN_ONLY, holds
from bridge.settings import ClientSettings
from tests.support.bridge.written_languages import texts_in

ROOT = Path(__file__).parents[4]
ISSUER = "https://auth.example.org"
SECRET = "s3cret-of_43-characters"
NASTY_ID = "a'b\"c\\d#{e}$f`g`%h;i,j"
NASTY_ISSUER = "https://auth.example.org/it's-$(here)"
WANTED = {
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
    """Of each block, its language and the texts that a reader of that language finds."""
    client = registered(recipe, client_id)
    secret = None if recipe.client.public else SECRET
    filled = fill_recipe(recipe, client, issuer=issuer, client_secret=secret, url=recipe.example)
    return [(block.language, texts_in(block.language, block.text)) for block in filled.blocks]


def test_there_is_one_for_every_application_that_was_promised() -> None:
    assert {recipe.name for recipe in all_recipes()} == WANTED


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_client_can_be_registered_by_it(recipe: Recipe) -> None:
    client = registered(recipe, url=recipe.example and "http://localhost:8000/below/it")
    assert client.is_public is recipe.client.public
    assert set(recipe.client.grant_types) == set(client.grant_types)


@pytest.mark.parametrize("recipe", RECIPES)
def test_its_configuration_is_well_formed_and_tells_the_application_who_it_is(recipe: Recipe) -> None:
    found = texts(recipe)
    everything = "\n".join(value for _, values in found for value in values)
    assert "app-1" in everything
    assert ISSUER in everything
    assert recipe.client.public or SECRET in everything
    assert re.findall(r"\{[a-z_]+\}", everything.replace("{redirect_uri}", "").replace("{id_token}", "")) == []


@pytest.mark.parametrize("recipe", RECIPES)
def test_values_with_quotes_and_dollars_are_read_as_they_were_written_or_refused(recipe: Recipe) -> None:
    languages = {block.language for block in recipe.blocks if "{client_id}" in block.text}
    if languages & PLAIN_ONLY:
        with pytest.raises(RecipeError, match="Choose another one with --id"):
            texts(recipe, NASTY_ID)
        return
    for block, (_, values) in zip(recipe.blocks, texts(recipe, NASTY_ID, NASTY_ISSUER), strict=True):
        assert "{client_id}" not in block.text or any(NASTY_ID in value for value in values)
        assert "{issuer}" not in block.text or any(NASTY_ISSUER in value for value in values)


@pytest.mark.parametrize("recipe", RECIPES)
def test_what_it_asks_the_bridge_for_is_what_it_is_registered_for(recipe: Recipe) -> None:
    """Nothing is asked that was not registered, and nobody is excused from PKCE without the page saying so."""
    if "refresh_token" not in recipe.client.grant_types:
        assert "offline_access" not in recipe.client.scopes
    if not recipe.client.require_pkce:
        assert "PKCE" in recipe.tells.logout
        assert not recipe.client.public


@pytest.mark.parametrize("recipe", RECIPES)
def test_it_says_where_it_comes_from_and_what_it_describes(recipe: Recipe) -> None:
    assert all(page.startswith("https://") for page in recipe.derived_from)
    assert recipe.what.endswith(".")
    for said in (recipe.tells.groups, recipe.tells.refresh, recipe.tells.logout):
        assert said.endswith(".")


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_proof_names_a_test_that_is_there(recipe: Recipe) -> None:
    assert recipe.run_with is None or (ROOT / recipe.run_with.test).is_file()


def test_the_way_out_leads_back_to_an_address_that_is_registered() -> None:
    recipe = find_recipe("grafana")
    client = registered(recipe)
    (block,) = fill_recipe(recipe, client, issuer=ISSUER, client_secret=SECRET, url=recipe.example).blocks
    out = re.search(r"^signout_redirect_url = (.*)$", block.text, re.MULTILINE)
    assert out
    assert out[1] == (
        f"{ISSUER}/logout?client_id=app-1&post_logout_redirect_uri=https%3A%2F%2Fgrafana.example.org%2Flogin"
    )


@pytest.mark.parametrize("recipe", RECIPES)
def test_whoever_is_led_here_to_sign_out_finds_the_way_back(recipe: Recipe) -> None:
    leads_here = "leads here" in recipe.tells.logout or "Ends the session here" in recipe.tells.logout
    assert not leads_here or recipe.client.post_logout_redirect_uris


@pytest.mark.parametrize("name", ["django-allauth", "django-mozilla-oidc", "django-social-auth"])
def test_a_site_of_django_below_a_path_leads_back_to_it(name: str) -> None:
    recipe, url = find_recipe(name), "https://www.example.org/below/it"
    client = registered(recipe, url=url)
    filled = fill_recipe(recipe, client, issuer=ISSUER, client_secret=SECRET, url=url)
    led = re.findall(r'^LOG\w+_REDIRECT_URL = "(.*)"$', filled.blocks[0].text, re.MULTILINE)
    assert led
    assert {address.partition("?")[0] for address in led} <= {f"{url}/", f"{ISSUER}/logout"}


@pytest.mark.parametrize("recipe", [pytest.param(one, id=one.name) for one in all_recipes() if one.kind == "library"])
def test_a_recipe_for_ones_own_application_says_what_to_install(recipe: Recipe) -> None:
    """All of it, the framework as well where the recipe writes the whole application."""
    (installed, *_) = re.findall(r"`(?:pip|npm) install ([^`]+)`", recipe.then) or [""]
    assert installed
    whole = any(block.into == "app.py" for block in recipe.blocks)
    assert not whole or "Flask" in installed.split()


@pytest.mark.parametrize("name", ["flask-authlib", "flask-dance"])
def test_what_a_flask_application_knows_of_its_user_is_sent_by_https_alone(name: str) -> None:
    """All of it is in the cookie, tokens as well."""
    recipe = find_recipe(name)
    for url, is_secure in (("https://app.example.org", True), ("http://localhost:5000", False)):
        filled = fill_recipe(recipe, registered(recipe, url=url), issuer=ISSUER, client_secret=SECRET, url=url)
        module: dict[str, Any] = {"__name__": "app"}
        exec(compile(filled.blocks[0].text, "app.py", "exec"), module)
        assert module["app"].config["SESSION_COOKIE_SECURE"] is is_secure
        assert module["app"].config["SESSION_COOKIE_SAMESITE"] == "Lax"


def test_braces_of_the_application_itself_are_left_to_it() -> None:
    recipe = find_recipe("pgadmin")
    (block,) = fill_recipe(recipe, registered(recipe), issuer=ISSUER, client_secret=SECRET, url=recipe.example).blocks
    assert "post_logout_redirect_uri={redirect_uri}&id_token_hint={id_token}" in block.text
    (synapse,) = find_recipe("synapse").blocks
    assert "{{ user.preferred_username }}" in synapse.text


def test_random_texts_are_made_anew_each_time() -> None:
    recipe = find_recipe("flask-authlib")
    client = registered(recipe)
    made = set()
    for _ in range(3):
        (block,) = fill_recipe(recipe, client, issuer=ISSUER, client_secret=SECRET, url=recipe.example).blocks
        made |= set(re.findall(r'secret_key = "([0-9a-f]{32})"', block.text))
    assert len(made) == 3


def test_every_language_has_a_reader_that_refuses_what_is_broken() -> None:
    broken = {
        "python": "a = (",
        "json": "{",
        "toml": "a = ",
        "yaml": "a: [",
        "ini": "no section",
        "env": "lower=1",
        "shell": "echo 'x",
        "apache": "<Location />",
        "form": "nothing beside it",
        "html": "<form><button></form>",
        "javascript": "const = 1",
        "php": "$a = [",
        "ruby": "a = [ {",
    }
    assert broken.keys() == {block.language for recipe in all_recipes() for block in recipe.blocks}
    assert broken.keys() == ESCAPES.keys()
    for language, text in broken.items():
        with pytest.raises(Exception):  # noqa: B017, PT011  each parser has an error of its own
            texts_in(language, text)


@pytest.mark.parametrize("language", sorted(PLAIN_ONLY))
def test_a_language_without_quoting_takes_plain_values_only(language: str) -> None:
    assert holds(language, "https://auth.example.org/a?b=c&d=e%20")
    assert holds(language, "openid profile")
    for value in ("a;b", "a#b", "a'b", 'a"b', "a$b", "a`b", "a\\b", "a{b}"):
        assert not holds(language, value)


def test_no_group_of_cas_is_nextclouds_group_of_administrators() -> None:
    """`admin` is one by its name alone, and a user called like a local account would be that account."""
    (block,) = find_recipe("nextcloud").blocks
    (written,) = re.findall(r"--group-whitelist-regex='/(.*)/i'", block.text)
    admits = re.compile(written, re.IGNORECASE)
    assert [name for name in ("admin", "Admin", "administration", "staff") if admits.search(name)] == [
        *("administration", "staff")
    ]
    assert "config:system:set user_oidc soft_auto_provision --type=boolean --value=false\n" in block.text


@pytest.mark.parametrize("name", ["discourse", "moodle"])
def test_where_accounts_are_found_by_address_it_says_whose_they_may_become(name: str) -> None:
    assert re.search(r"found by (its|their) address.* administrator", find_recipe(name).then)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_command_that_shows_its_secret_to_others_says_so(recipe: Recipe) -> None:
    for block in recipe.blocks:
        in_words = re.search(r"--\S*secret[ =]'\{client_secret\}'", block.text)
        assert not in_words or "list of processes" in block.into
