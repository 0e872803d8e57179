"""`passerelle clients add --recipe`: registration, printed configuration and rejected options."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from typing import Any

import pytest

from bridge.oauth.clients import hash_secret
from bridge.recipes.model import all_recipes
from tests.support.bridge.client_command import ClientCommand, command

__all__ = ["command"]  # a fixture

GRAFANA = ["--recipe", "grafana", "--url", "https://Grafana.example.org/"]
PROXY = ["--recipe", "oauth2-proxy", "--url", "https://app.example.org"]


def ids(command: ClientCommand) -> list[str]:
    return [row["client_id"] for row in json.loads(command.output("list", "--json"))]


def test_recipe_registers_its_facts_at_the_url(command: ClientCommand) -> None:
    added = command.add("Dashboards", *GRAFANA)
    shown = command.show(added["client_id"])
    assert shown["client_name"] == "Dashboards"
    assert shown["redirect_uris"] == ["https://grafana.example.org/login/generic_oauth"]
    assert shown["post_logout_redirect_uris"] == ["https://grafana.example.org/login"]
    assert shown["grant_types"] == ["authorization_code", "refresh_token"]
    assert (shown["type"], shown["require_pkce"]) == ("confidential", True)


def test_configuration_contains_the_credentials(command: ClientCommand) -> None:
    added = command.add("Gate", *PROXY)
    (block,) = added["configuration"]
    written = tomllib.loads(block["text"])
    assert (written["client_id"], written["client_secret"]) == (added["client_id"], added["client_secret"])
    assert written["oidc_issuer_url"] == added["issuer"] == "https://auth.example.org"
    store = command.store()
    stored = next(client for client in store.clients.all() if client.client_id == added["client_id"])
    store.close()
    assert hash_secret(written["client_secret"]) in stored.document
    assert written["client_secret"] not in stored.document
    assert {name: added[name] for name in ("recipe", "url")} == {
        "recipe": "oauth2-proxy",
        "url": "https://app.example.org",
    }
    assert set(added["tells"]) == {"groups", "refresh", "logout"}


def test_text_output_contains_the_configuration(command: ClientCommand) -> None:
    result = command.run("add", "Hub", "--recipe", "jupyterhub", "--url", "https://hub.example.org/base")
    assert result.exit_code == 0
    head, block, *_ = re.split(r"\n── into (?:.*) ──\n", result.stdout)
    credentials = dict(line.split(": ") for line in head.strip().splitlines())
    texts = {node.value for node in ast.walk(ast.parse(block.partition("\n\n")[0])) if isinstance(node, ast.Constant)}
    assert {
        credentials["client_id"],
        credentials["client_secret"],
        "https://hub.example.org/base/hub/oauth_callback",
    } <= texts
    assert credentials["client_secret"] not in result.stderr
    assert "shown only once" in result.stderr


@pytest.mark.parametrize("name", [recipe.name for recipe in all_recipes()])
def test_every_recipe_can_be_added(command: ClientCommand, name: str) -> None:
    recipe = next(recipe for recipe in all_recipes() if recipe.name == name)
    where = [] if recipe.example is None else ["--url", recipe.example]
    added = command.add("Application", "--recipe", name, *where)
    assert ("client_secret" in added) is not recipe.client.public
    assert [block["into"] for block in added["configuration"]] == [block.into for block in recipe.blocks]
    assert command.show(added["client_id"])["type"] == ("public" if recipe.client.public else "confidential")


def test_explicit_options_override_the_recipe(command: ClientCommand) -> None:
    words = ["--scope", "openid email", "--redirect-uri", "https://other.example.org/cb", "--allowed-group", "staff"]
    added = command.add("Gate", *PROXY, "--id", "gate", *words)
    shown = command.show("gate")
    assert shown["redirect_uris"] == ["https://other.example.org/cb"]
    assert (shown["scopes"], shown["allowed_groups"]) == (["openid", "email"], ["staff"])
    assert tomllib.loads(added["configuration"][0]["text"])["scope"] == "openid email"


def test_program_recipe_has_no_url_and_no_secret(command: ClientCommand) -> None:
    added = command.add("Tool", "--recipe", "command-line")
    assert "client_secret" not in added
    assert added["url"] is None
    assert "leave out --url" in command.error(
        "add", "Tool", "--recipe", "command-line", "--url", "https://x.example.org", status=2
    )


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["--recipe", "grafanna"], 2, "Did you mean grafana?"),
        (["--recipe", "nowhere.toml"], 2, "No such file"),
        (["--recipe", "grafana"], 2, "needs --url, like https://grafana.example.org"),
        (["--url", "https://x.example.org"], 2, "--url needs --recipe"),
        (["--recipe", "grafana", "--url", "http://grafana.example.org"], 2, "is plain http"),
        (["--recipe", "grafana", "--url", "grafana.example.org"], 2, "https://grafana.example.org"),
        (["--recipe", "grafana", "--url", "https://a:secret@g.example.org"], 2, "user name"),
        (["--recipe", "grafana", "--url", "https://g.example.org/#x"], 2, "from the # on"),
        (["--recipe", "grafana", "--url", ""], 2, "is not complete"),
        ([*GRAFANA, "--id", "a;b"], 1, "Choose another client id with --id"),
        ([*GRAFANA, "--public"], 1, "needs a client with a secret"),
        ([*GRAFANA, "--scope", "root"], 1, "root: unknown scope"),
        (["--recipe", "command-line", "--no-pkce"], 1, "requires a client secret"),
        (["--recipe", "mod-auth-openidc", "--url", "https://a.example.org", "--id", "a${b}"], 1, "cannot hold"),
        (
            ["--recipe", "mod-auth-openidc", "--url", "https://a.example.org/caf%C3%A9"],
            1,
            "would stay open",
        ),
    ],
)
def test_invalid_recipe_options_register_nothing(
    command: ClientCommand, words: list[str], status: int, says: str
) -> None:
    refused = command.error("add", "App", *words, status=status)
    assert says in refused
    assert "secret@" not in refused
    assert ids(command) == ["hub"]


def test_recipes_are_listed_with_their_evidence(command: ClientCommand) -> None:
    rows: list[dict[str, Any]] = json.loads(command.output("recipes", "--json"))
    assert [row["recipe"] for row in rows] == [recipe.name for recipe in all_recipes()]
    listed = command.output("recipes")
    for recipe in all_recipes():
        tried = f"tried by hand with {recipe.tried_with.version}" if recipe.tried_with else "untested, for"
        proof = f"tested with {recipe.run_with.version}" if recipe.run_with else tried
        assert re.search(rf"^{recipe.name} .*{re.escape(proof)}", listed, re.MULTILINE)


def test_showing_a_recipe_registers_nothing(command: ClientCommand) -> None:
    page = command.output("recipes", "grafana")
    assert "client_secret = {{ client_secret }}" in page
    assert "{{ url }}/login/generic_oauth" in page
    shown = json.loads(command.output("recipes", "grafana", "--json"))
    assert shown["client"]["redirect_uris"] == ["{{ url }}/login/generic_oauth"]
    assert "There is no recipe" in command.error("recipes", "nothing")
    assert ids(command) == ["hub"]


def test_recipes_need_no_settings(command: ClientCommand) -> None:
    assert command.run("recipes", issuer="").exit_code == 0
