"""`passerelle clients edit`: listed changes, and applications that move to another URL."""

from __future__ import annotations

import ast
import json
from typing import Any

import pytest

from bridge.oauth.clients import validate_client
from bridge.recipes.configuration import client_facts, fill_recipe
from bridge.recipes.model import Recipe, all_recipes
from tests.support.bridge.client_command import REDIRECT, ClientCommand, command

__all__ = ["command"]  # a fixture

OLD, NEW = "https://app.example.org", "https://apps.example.net/new"
MOVABLE = [recipe for recipe in all_recipes() if recipe.example is not None]


def document(command: ClientCommand, client_id: str = "app") -> dict[str, Any]:
    store = command.store()
    (found,) = [json.loads(client.document) for client in store.clients.all() if client.client_id == client_id]
    store.close()
    return dict(found)


def add_app(command: ClientCommand, recipe: str, *options: str, url: str = OLD) -> dict[str, Any]:
    return command.add("App", "--id", "app", "--recipe", recipe, "--url", url, *options)


def move(command: ClientCommand, recipe: str, *options: str, url: str = NEW) -> dict[str, Any]:
    words = ["edit", "app", "--recipe", recipe, "--url", url, *options, "--json"]
    return dict(json.loads(command.output(*words)))


def test_edit_lists_changes_like_apply(command: ClientCommand) -> None:
    command.add("Wiki", "--id", "wiki", *REDIRECT)
    shown = command.output("edit", "wiki", "--name", "New", "--allowed-group", "a").splitlines()
    assert shown[:3] == ["~ wiki", "    client_name: Wiki -> New", '    allowed_groups: [] -> ["a"]']
    file = command.database.with_name("clients.toml")
    file.write_text(command.output("export").replace('"New"', '"Newer"'))
    planned = command.run("apply", str(file), "--dry-run").stdout.splitlines()
    assert planned[:2] == ["~ wiki", "    client_name: New -> Newer"]
    output = json.loads(command.output("edit", "wiki", "--consent", "--json"))
    assert output["changed"] == {"consent": {"before": None, "after": True}}


def test_edit_without_change_says_so(command: ClientCommand) -> None:
    command.add("Wiki", "--id", "wiki", *REDIRECT)
    before = document(command, "wiki")
    assert command.output("edit", "wiki", "--name", "Wiki") == "Nothing to change: wiki has these values already.\n"
    assert json.loads(command.output("edit", "wiki", "--name", "Wiki", "--json"))["changed"] == {}
    assert document(command, "wiki") == before


@pytest.mark.parametrize("recipe", MOVABLE, ids=lambda recipe: recipe.name)
def test_moved_application_equals_new_one_with_old_secret(command: ClientCommand, recipe: Recipe) -> None:
    add_app(command, recipe.name)
    before = document(command)
    output = move(command, recipe.name)
    command.add("App", "--id", "other", "--recipe", recipe.name, "--url", NEW)
    kept = {name: before[name] for name in ("client_id", "client_secret_hash") if name in before}
    assert document(command) == {**document(command, "other"), **kept}
    lines = [line for block in output["configuration"] for line in block["text"].splitlines()]
    was, is_now = (all_lines(recipe, command, url) for url in (OLD, NEW))
    assert lines == [line for former, line in zip(was, is_now, strict=True) if former != line]


def all_lines(recipe: Recipe, command: ClientCommand, url: str) -> list[str]:
    """Return the lines that `clients add` prints, with fixed secrets."""
    client = validate_client({**document(command), **client_facts(recipe, url)})
    issuer = command.environment["PASSERELLE_ISSUER"]
    paste = fill_recipe(recipe, client, issuer=issuer, client_secret="s", url=url, random=lambda: "r")
    return "\n".join(block.text for block in paste.blocks).splitlines()


def test_move_prints_changed_lines_without_secret(command: ClientCommand) -> None:
    secret = add_app(command, "gitlab")["client_secret"]
    result = command.run("edit", "app", "--recipe", "gitlab", "--url", f"{NEW}/")
    assert result.exit_code == 0
    head, into, text = result.stdout.partition("\n── into /etc/gitlab/gitlab.rb, replacing the lines with the old URL")
    assert into
    assert head.startswith(f'~ app\n    redirect_uris: ["{OLD}/users/auth/openid_connect/callback"] -> ["{NEW}/users/')
    assert text.partition("──\n")[2].strip() == f'redirect_uri: "{NEW}/users/auth/openid_connect/callback"'
    assert "secret" not in text
    assert secret not in result.output
    assert "The secret stays the same" in result.stderr


def test_move_without_url_in_configuration_prints_no_block(command: ClientCommand) -> None:
    add_app(command, "wordpress")
    result = command.run("edit", "app", "--recipe", "wordpress", "--url", NEW)
    assert "──" not in result.stdout
    assert "does not contain its URL" in result.stdout


def test_move_changes_addresses_below_old_url_only(command: ClientCommand) -> None:
    """The recipe for MediaWiki suggests `clients edit` for the addresses of other languages."""
    german = f"{OLD}/index.php/Spezial:PluggableAuthLogin"
    elsewhere = ["https://app.example.org.evil.example/cb", "https://app.example.org:8443/cb", "http://127.0.0.1/cb"]
    add_app(command, "mediawiki", "--backchannel-logout-uri", "http://wiki.internal:8000/out")
    registered = command.show("app")["redirect_uris"]
    more = [word for uri in [*registered, german, *elsewhere] for word in ("--redirect-uri", uri)]
    command.output("edit", "app", *more, "--allowed-group", "staff")
    move(command, "mediawiki")
    shown = command.show("app")
    moved = [uri.replace(OLD, NEW) for uri in [*registered, german]]
    assert shown["redirect_uris"] == [*moved, *elsewhere]
    assert shown["backchannel_logout_uri"] == "http://wiki.internal:8000/out"
    assert shown["allowed_groups"] == ["staff"]


def test_previous_url_is_found_for_overlapping_templates(command: ClientCommand) -> None:
    add_app(command, "nextcloud", url="https://cloud.example.org/index.php")
    move(command, "nextcloud")
    assert command.show("app")["redirect_uris"] == [
        f"{NEW}/apps/user_oidc/code",
        f"{NEW}/index.php/apps/user_oidc/code",
    ]


OWN_RECIPE = """
title = "Mine"
what = "An application of our own."
derived_from = ["https://mine.example.org/docs"]
describes = "1"
example = "https://app.example.org"
[client]
redirect_uris = ["https://{{ host }}/cb", "{{ url }}/cb"]
[[blocks]]
into = "a shell"
language = "shell"
text = "run '{{ url }}' --secret '{{ client_secret }}' --cookie '{{ random() }}' { url }"
[tells]
groups = "-"
refresh = "-"
logout = "-"
"""


@pytest.mark.parametrize("addresses", ['"https://{{ host }}/cb"', '"https://{{ host }}/cb", "{{ url }}/cb"'])
def test_own_recipe_moves_with_host_and_secret_on_one_line(command: ClientCommand, addresses: str) -> None:
    file = command.database.with_name("mine.toml")
    file.write_text(OWN_RECIPE.replace('"https://{{ host }}/cb", "{{ url }}/cb"', addresses))
    secret = add_app(command, str(file))["client_secret"]
    result = command.run("edit", "app", "--recipe", str(file), "--url", NEW, "--json")
    output = json.loads(result.stdout)
    assert "replace its own" not in result.stderr
    expected = ["https://apps.example.net/cb", f"{NEW}/cb"] if "url" in addresses else ["https://apps.example.net/cb"]
    assert output["redirect_uris"] == expected
    assert [block["text"] for block in output["configuration"]] == [
        f"run '{NEW}' --secret 'UNCHANGED' --cookie 'UNCHANGED' {{ url }}"
    ]
    assert secret not in result.output


def test_move_of_unrelated_client_notes_replaced_addresses(
    command: ClientCommand,
) -> None:
    command.add("App", "--id", "app", *REDIRECT, "--post-logout-redirect-uri", "https://wiki.example.org/")
    result = command.run("edit", "app", "--recipe", "synapse", "--url", NEW)
    shown = command.show("app")
    assert shown["redirect_uris"] == [f"{NEW}/_synapse/client/oidc/callback"]
    assert shown["backchannel_logout_uri"] == f"{NEW}/_synapse/client/oidc/backchannel_logout"
    assert shown["post_logout_redirect_uris"] == ["https://wiki.example.org/"]
    assert "app has no redirect URI of the recipe synapse" in result.stderr


def test_explicit_options_override_the_move(command: ClientCommand) -> None:
    add_app(command, "grafana")
    move(command, "grafana", "--redirect-uri", "https://other.example.org/cb", "--clear", "post-logout-redirect-uri")
    shown = command.show("app")
    assert (shown["redirect_uris"], shown["post_logout_redirect_uris"]) == (["https://other.example.org/cb"], [])


def test_move_of_pairwise_client_notes_new_subjects(command: ClientCommand) -> None:
    words = ["--pairwise", "--scope", "openid"]
    add_app(command, "grafana", *words)
    output = command.run("edit", "app", "--recipe", "grafana", "--url", NEW).stderr
    assert "app sees its users under another sub from now on" in output
    assert "--sector-identifier app.example.org" in output
    quiet = command.run("edit", "app", "--recipe", "grafana", "--url", "https://apps.example.net").stderr
    assert "another sub" not in quiet
    kept = command.run("edit", "app", "--redirect-uri", f"{OLD}/cb", "--sector-identifier", "apps.example.net").stderr
    assert "another sub" not in kept
    assert "another sub" in command.run("edit", "app", "--no-pairwise").stderr


def test_move_to_shared_redirect_uri_is_noted(command: ClientCommand) -> None:
    add_app(command, "grafana")
    command.add("Other", "--id", "other", "--recipe", "grafana", "--url", NEW)
    output = command.run("edit", "app", "--recipe", "grafana", "--url", NEW).stderr
    assert f"Note: other also has the redirect URI {NEW}/login/generic_oauth" in output
    assert "also has" not in command.run("edit", "app", "--consent").stderr


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["--url", NEW], 2, "--recipe"),
        (["--recipe", "grafana"], 2, "needs --url"),
        (["--recipe", "grafanna", "--url", NEW], 2, "Did you mean grafana?"),
        (["--recipe", "grafana", "--url", "http://app.example.org"], 2, "is plain http"),
        (["--recipe", "command-line"], 2, "has no address"),
        (["--recipe", "command-line", "--url", NEW], 2, "has no address"),
        (["--recipe", "grafana", "--url", NEW, "--scope", "root"], 1, "root: unknown scope"),
    ],
)
def test_invalid_move_changes_nothing(command: ClientCommand, words: list[str], status: int, says: str) -> None:
    add_app(command, "grafana")
    before = document(command)
    assert says in command.error("edit", "app", *words, status=status)
    assert document(command) == before


def test_public_client_cannot_move_with_confidential_recipe(command: ClientCommand) -> None:
    add_app(command, "single-page-app")
    before = document(command)
    assert "another recipe" in command.error("edit", "app", "--recipe", "grafana", "--url", NEW)
    assert document(command) == before


def test_printed_lines_are_escaped(command: ClientCommand) -> None:
    add_app(command, "jupyterhub", "--id", 'a"b')
    output = json.loads(command.output("edit", 'a"b', "--recipe", "jupyterhub", "--url", NEW, "--json"))
    (block,) = output["configuration"]
    ast.parse(block["text"])
    assert "%22" in block["text"]
