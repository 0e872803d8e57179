"""Moves: a client has the addresses that its recipe registers at the new URL."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.oauth.clients import validate_client
from bridge.recipes.configuration import ADDRESS_FIELDS, client_facts, moved_addresses, previous_url
from bridge.recipes.model import Recipe, all_recipes

MOVABLE = [recipe for recipe in all_recipes() if recipe.example is not None]
URLS = st.builds(
    "https://{}{}{}".format,
    st.sampled_from(["a.example.org", "b.example.org", "[2001:db8::1]", "login.example.net"]),
    st.sampled_from(["", ":8443"]),
    st.lists(
        st.sampled_from(["wiki", "login", "index.php", "callback", "oauth2", "a+b", "~x", "%C3%A9"]), max_size=3
    ).map(lambda names: "".join(f"/{name}" for name in names)),
)


def addresses(recipe: Recipe, url: str) -> dict[str, object]:
    return {name: fact for name, fact in client_facts(recipe, url).items() if name in ADDRESS_FIELDS}


@pytest.mark.parametrize("recipe", MOVABLE, ids=lambda recipe: recipe.name)
@given(old=URLS, new=URLS)
def test_moved_client_equals_new_registration(recipe: Recipe, old: str, new: str) -> None:
    client = validate_client({"client_id": "app", "client_secret": "s", **client_facts(recipe, old)})
    found = previous_url(recipe, client.redirect_uris)
    assert found is not None
    assert addresses(recipe, found)["redirect_uris"] == client.redirect_uris
    assert moved_addresses(recipe, client, found, new) == addresses(recipe, new)


@pytest.mark.parametrize("uri", ["https://a.example.org/elsewhere", "org.example.app:/cb", "https://x/y%zz/callback"])
def test_unmatched_redirect_uri_has_no_previous_url(uri: str) -> None:
    recipe = next(recipe for recipe in MOVABLE if recipe.name == "grafana")
    assert previous_url(recipe, [uri]) is None
    assert previous_url(recipe, []) is None
