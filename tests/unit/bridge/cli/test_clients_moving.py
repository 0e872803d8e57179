"""`passerelle clients edit` shows what it changes as `apply` does, and takes an application along that moved."""

from __future__ import annotations

import ast
import json
from typing import Any

import pytest

from bridge.oauth.clients import validate_client
from bridge.recipes import Recipe, all_recipes, client_facts, configuration
from tests.support.bridge.client_command import REDIRECT, ClientCommand, command, empty_database

__all__ = ["command", "empty_database"]  # fixtures

OLD, NEW = "https://app.example.org", "https://apps.example.net/new"
MOVABLE = [recipe for recipe in all_recipes() if recipe.example is not None]


def document(command: ClientCommand, client_id: str = "app") -> dict[str, Any]:
    store = command.store()
    (found,) = [json.loads(client.document) for client in store.clients.all() if client.client_id == client_id]
    store.close()
    return dict(found)


def adds(command: ClientCommand, recipe: str, *options: str, url: str = OLD) -> dict[str, Any]:
    return command.adds("App", "--id", "app", "--recipe", recipe, "--url", url, *options)


def moves(command: ClientCommand, recipe: str, *options: str, url: str = NEW) -> dict[str, Any]:
    words = ["edit", "app", "--recipe", recipe, "--url", url, *options, "--json"]
    return dict(json.loads(command.does(*words)))


def test_a_change_is_shown_as_apply_shows_it(command: ClientCommand) -> None:
    command.adds("Wiki", "--id", "wiki", *REDIRECT)
    shown = command.does("edit", "wiki", "--name", "New", "--allowed-group", "a").splitlines()
    assert shown[:3] == ["~ wiki", "    client_name: Wiki -> New", '    allowed_groups: [] -> ["a"]']
    file = command.database.with_name("clients.toml")
    file.write_text(command.does("export").replace('"New"', '"Newer"'))
    planned = command.runs("apply", str(file), "--dry-run").stdout.splitlines()
    assert planned[:2] == ["~ wiki", "    client_name: New -> Newer"]
    told = json.loads(command.does("edit", "wiki", "--consent", "--json"))
    assert told["changed"] == {"consent": {"before": False, "after": True}}


def test_what_is_so_already_is_said_to_be(command: ClientCommand) -> None:
    command.adds("Wiki", "--id", "wiki", *REDIRECT)
    before = document(command, "wiki")
    assert command.does("edit", "wiki", "--name", "Wiki") == "Nothing to do: wiki is so already.\n"
    assert json.loads(command.does("edit", "wiki", "--name", "Wiki", "--json"))["changed"] == {}
    assert document(command, "wiki") == before


@pytest.mark.parametrize("recipe", MOVABLE, ids=lambda recipe: recipe.name)
def test_an_application_that_moved_has_what_it_would_have_been_given_there_and_its_secret(
    command: ClientCommand, recipe: Recipe
) -> None:
    adds(command, recipe.name)
    before = document(command)
    told = moves(command, recipe.name)
    command.adds("App", "--id", "other", "--recipe", recipe.name, "--url", NEW)
    kept = {name: before[name] for name in ("client_id", "client_secret_hash") if name in before}
    assert document(command) == {**document(command, "other"), **kept}
    lines = [line for block in told["configuration"] for line in block["text"].splitlines()]
    was, is_now = (whole_text(recipe, command, url) for url in (OLD, NEW))
    assert lines == [line for former, line in zip(was, is_now, strict=True) if former != line]


def whole_text(recipe: Recipe, command: ClientCommand, url: str) -> list[str]:
    """What `clients add` would print to paste, with the same secret everywhere."""
    client = validate_client({**document(command), **client_facts(recipe, url)})
    issuer = command.environment["PASSERELLE_ISSUER"]
    paste = fill_recipe(recipe, client, issuer=issuer, client_secret="s", url=url, random=lambda: "r")
    return "\n".join(block.text for block in paste.blocks).splitlines()


def test_people_are_shown_the_lines_to_be_replaced_and_no_secret(command: ClientCommand) -> None:
    secret = adds(command, "gitlab")["client_secret"]
    result = command.runs("edit", "app", "--recipe", "gitlab", "--url", f"{NEW}/")
    assert result.exit_code == 0
    head, into, text = result.stdout.partition("\n── into /etc/gitlab/gitlab.rb, in place of the lines that have ")
    assert into
    assert head.startswith(f'~ app\n    redirect_uris: ["{OLD}/users/auth/openid_connect/callback"] -> ["{NEW}/users/')
    assert text.partition("──\n")[2].strip() == f'redirect_uri: "{NEW}/users/auth/openid_connect/callback"'
    assert "secret" not in text
    assert secret not in result.output
    assert "Its secret stays" in result.stderr


def test_where_the_configuration_has_no_address_nothing_is_to_be_pasted(command: ClientCommand) -> None:
    adds(command, "wordpress")
    result = command.runs("edit", "app", "--recipe", "wordpress", "--url", NEW)
    assert "──" not in result.stdout
    assert "has its address nowhere" in result.stdout


def test_what_was_added_below_the_old_address_moves_along_and_what_is_elsewhere_stays(command: ClientCommand) -> None:
    """The recipe for MediaWiki sends people to `clients edit` for the addresses of other languages."""
    german = f"{OLD}/index.php/Spezial:PluggableAuthLogin"
    elsewhere = ["https://app.example.org.evil.example/cb", "https://app.example.org:8443/cb", "http://127.0.0.1/cb"]
    adds(command, "mediawiki", "--backchannel-logout-uri", "http://wiki.internal:8000/out")
    recipe_s = command.shows("app")["redirect_uris"]
    more = [word for uri in [*recipe_s, german, *elsewhere] for word in ("--redirect-uri", uri)]
    command.does("edit", "app", *more, "--allowed-group", "staff")
    moves(command, "mediawiki")
    shown = command.shows("app")
    moved = [uri.replace(OLD, NEW) for uri in [*recipe_s, german]]
    assert shown["redirect_uris"] == [*moved, *elsewhere]
    assert shown["backchannel_logout_uri"] == "http://wiki.internal:8000/out"
    assert shown["allowed_groups"] == ["staff"]


def test_the_address_is_found_though_one_template_is_the_end_of_another(command: ClientCommand) -> None:
    adds(command, "nextcloud", url="https://cloud.example.org/index.php")
    moves(command, "nextcloud")
    assert command.shows("app")["redirect_uris"] == [
        f"{NEW}/apps/user_oidc/code",
        f"{NEW}/index.php/apps/user_oidc/code",
    ]


OWN_RECIPE = """
title = "Mine"
what = "Something of our own."
derived_from = ["https://mine.example.org/docs"]
describes = "1"
example = "https://app.example.org"
[client]
redirect_uris = ["https://{host}/cb", "{url}/cb"]
[[blocks]]
into = "a shell"
language = "shell"
text = "run '{url}' --secret '{client_secret}' --cookie '{random}' {{url}}"
[tells]
groups = "-"
refresh = "-"
logout = "-"
"""


@pytest.mark.parametrize("addresses", ['"https://{host}/cb"', '"https://{host}/cb", "{url}/cb"'])
def test_a_recipe_of_ones_own_may_have_the_host_alone_and_a_secret_beside_the_address(
    command: ClientCommand, addresses: str
) -> None:
    file = command.database.with_name("mine.toml")
    file.write_text(OWN_RECIPE.replace('"https://{host}/cb", "{url}/cb"', addresses))
    secret = adds(command, str(file))["client_secret"]
    result = command.runs("edit", "app", "--recipe", str(file), "--url", NEW, "--json")
    told = json.loads(result.stdout)
    assert "was one of" not in result.stderr
    expected = ["https://apps.example.net/cb", f"{NEW}/cb"] if "url" in addresses else ["https://apps.example.net/cb"]
    assert told["redirect_uris"] == expected
    assert [block["text"] for block in told["configuration"]] == [
        f"run '{NEW}' --secret 'AS-BEFORE' --cookie 'AS-BEFORE' {{url}}"
    ]
    assert secret not in result.output


def test_a_client_that_was_made_otherwise_gets_the_addresses_of_the_recipe_and_a_word_about_the_rest(
    command: ClientCommand,
) -> None:
    command.adds("App", "--id", "app", *REDIRECT, "--post-logout-redirect-uri", "https://wiki.example.org/")
    result = command.runs("edit", "app", "--recipe", "synapse", "--url", NEW)
    shown = command.shows("app")
    assert shown["redirect_uris"] == [f"{NEW}/_synapse/client/oidc/callback"]
    assert shown["backchannel_logout_uri"] == f"{NEW}/_synapse/client/oidc/backchannel_logout"
    assert shown["post_logout_redirect_uris"] == ["https://wiki.example.org/"]
    assert "no address of app was one of the recipe synapse" in result.stderr


def test_options_are_stronger_than_the_move(command: ClientCommand) -> None:
    adds(command, "grafana")
    moves(command, "grafana", "--redirect-uri", "https://other.example.org/cb", "--clear", "post-logout-redirect-uri")
    shown = command.shows("app")
    assert (shown["redirect_uris"], shown["post_logout_redirect_uris"]) == (["https://other.example.org/cb"], [])


def test_who_hides_people_behind_its_host_is_told_that_a_move_makes_strangers_of_them(command: ClientCommand) -> None:
    words = ["--pairwise", "--scope", "openid"]
    adds(command, "grafana", *words)
    told = command.runs("edit", "app", "--recipe", "grafana", "--url", NEW).stderr
    assert "app sees its users under another sub from now on" in told
    assert "--sector-identifier app.example.org" in told
    quiet = command.runs("edit", "app", "--recipe", "grafana", "--url", "https://apps.example.net").stderr
    assert "another sub" not in quiet
    kept = command.runs("edit", "app", "--redirect-uri", f"{OLD}/cb", "--sector-identifier", "apps.example.net").stderr
    assert "another sub" not in kept
    assert "another sub" in command.runs("edit", "app", "--no-pairwise").stderr


def test_an_address_that_another_client_has_is_noted(command: ClientCommand) -> None:
    adds(command, "grafana")
    command.adds("Other", "--id", "other", "--recipe", "grafana", "--url", NEW)
    told = command.runs("edit", "app", "--recipe", "grafana", "--url", NEW).stderr
    assert f"Note: other has the address {NEW}/login/generic_oauth as well" in told
    assert "as well" not in command.runs("edit", "app", "--consent").stderr


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["--url", NEW], 2, "--recipe"),
        (["--recipe", "grafana"], 2, "needs --url"),
        (["--recipe", "grafanna", "--url", NEW], 2, "Did you mean grafana?"),
        (["--recipe", "grafana", "--url", "http://app.example.org"], 2, "is plain http"),
        (["--recipe", "command-line"], 2, "has no address"),
        (["--recipe", "command-line", "--url", NEW], 2, "has no address"),
        (["--recipe", "grafana", "--url", NEW, "--scope", "root"], 1, "root: not known here"),
    ],
)
def test_a_move_that_cannot_be_changes_nothing(
    command: ClientCommand, words: list[str], status: int, says: str
) -> None:
    adds(command, "grafana")
    before = document(command)
    assert says in command.refuses("edit", "app", *words, status=status)
    assert document(command) == before


def test_a_recipe_that_keeps_a_secret_is_not_for_a_client_that_has_none(command: ClientCommand) -> None:
    adds(command, "single-page-app")
    before = document(command)
    assert "another recipe" in command.refuses("edit", "app", "--recipe", "grafana", "--url", NEW)
    assert document(command) == before


def test_what_the_printed_lines_are_filled_with_is_quoted_as_the_language_has_it(command: ClientCommand) -> None:
    adds(command, "jupyterhub", "--id", 'a"b')
    told = json.loads(command.does("edit", 'a"b', "--recipe", "jupyterhub", "--url", NEW, "--json"))
    (block,) = told["configuration"]
    ast.parse(block["text"])
    assert "%22" in block["text"]
