"""`passerelle clients`: registering applications without a restart, and without a secret in the wrong place."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner

from bridge.cli import main
from bridge.oauth.clients import hash_secret
from bridge.store import StoredClient
from tests.support.bridge.client_command import REDIRECT, ClientCommand, command, empty_database

__all__ = ["command", "empty_database"]  # fixtures


def test_a_new_client_gets_an_id_and_a_secret_that_is_kept_nowhere(command: ClientCommand) -> None:
    result = command.runs("add", "The Wiki", *REDIRECT)
    found = re.fullmatch(r"client_id: (the-wiki-[0-9a-f]{8})\nclient_secret: (\S{43})\n", result.stdout)
    assert found, result.output
    client_id, secret = found.groups()
    assert secret not in result.stderr
    everything = b"".join(file.read_bytes() for file in command.database.parent.iterdir())
    assert secret.encode() not in everything
    assert hash_secret(secret).encode() in everything
    assert command.shows(client_id)["secrets"] == 1


def test_what_is_shown_holds_neither_secret_nor_hash(command: ClientCommand) -> None:
    added = command.adds("Wiki", *REDIRECT)
    for words in (
        ["list"],
        ["list", "--json"],
        ["show", added["client_id"]],
        ["show", "hub"],
        ["show", "hub", "--json"],
    ):
        shown = command.does(*words)
        assert hash_secret(added["client_secret"]) not in shown
        assert "hub-s3cret" not in shown


def test_every_option_ends_up_in_the_registration(command: ClientCommand) -> None:
    words = [
        *REDIRECT,
        "--redirect-uri",
        "http://127.0.0.1/cb",
        "--scope",
        "openid profile",
        "--scope",
        "offline_access",
    ]
    words += ["--grant-type", "authorization_code", "--grant-type", "refresh_token", "--consent", "--no-pkce"]
    words += ["--allowed-group", "staff", "--allowed-attribute", "uid=a=b", "--allowed-attribute", "uid=c"]
    words += ["--claim", "email", "--post-logout-redirect-uri", "https://wiki.example.org/", "--pairwise"]
    words += ["--backchannel-logout-uri", "https://wiki.example.org/out", "--sector-identifier", "example.org"]
    words += ["--id-token-alg", "ES256", "--access-token-lifetime", "600", "--refresh-token-lifetime", "3600"]
    added = command.adds("Wiki", "--id", "wiki", *words)
    assert command.shows("wiki") == {
        "client_id": "wiki",
        "source": "managed",
        "state": "enabled",
        "type": "confidential",
        "secrets": 1,
        "client_name": "Wiki",
        "redirect_uris": ["https://wiki.example.org/cb", "http://127.0.0.1/cb"],
        "post_logout_redirect_uris": ["https://wiki.example.org/"],
        "backchannel_logout_uri": "https://wiki.example.org/out",
        "scopes": ["openid", "profile", "offline_access"],
        "grant_types": ["authorization_code", "refresh_token"],
        "require_pkce": False,
        "consent": True,
        "allowed_groups": ["staff"],
        "allowed_attributes": {"uid": ["a=b", "c"]},
        "claims": ["email"],
        "access_token_lifetime_seconds": 600,
        "refresh_token_lifetime_seconds": 3600,
        "subject_type": "pairwise",
        "sector_identifier": "example.org",
        "id_token_signed_response_alg": "ES256",
    }
    assert set(added) == {"client_id", "client_secret"}


def test_a_public_client_has_no_secret(command: ClientCommand) -> None:
    assert set(command.adds("Program", "--public", "--redirect-uri", "http://127.0.0.1/cb")) == {"client_id"}


def test_a_client_that_hides_people_is_told_which_scopes_do_not(command: ClientCommand) -> None:
    assert "tell who somebody is" in command.runs("add", "A", "--pairwise", *REDIRECT).stderr
    quiet = command.runs("add", "B", "--pairwise", "--scope", "openid", *REDIRECT)
    assert "tell who somebody is" not in quiet.stderr


def test_editing_replaces_what_is_given_and_leaves_the_rest(command: ClientCommand) -> None:
    command.adds("Wiki", "--id", "wiki", "--allowed-group", "staff", "--consent", *REDIRECT)
    before = command.shows("wiki")
    command.does("edit", "wiki", "--name", "New", "--allowed-group", "a", "--allowed-group", "b", "--no-consent")
    assert command.shows("wiki") == {**before, "client_name": "New", "allowed_groups": ["a", "b"], "consent": False}
    command.does("edit", "wiki", "--clear", "allowed-group")
    assert command.shows("wiki")["allowed_groups"] == []


def hashes(command: ClientCommand, client_id: str) -> tuple[str | None, str | None]:
    store = command.store()
    (stored,) = [client for client in store.clients.all() if client.client_id == client_id]
    store.close()
    document = json.loads(stored.document)
    return document.get("client_secret_hash"), document.get("former_secret_hash")


def test_a_new_secret_replaces_the_old_one_or_stands_beside_it(command: ClientCommand) -> None:
    first = command.adds("Wiki", "--id", "wiki", *REDIRECT)["client_secret"]
    second = json.loads(command.does("rotate-secret", "wiki", "--keep-old", "--json"))["client_secret"]
    assert hashes(command, "wiki") == (f"sha256:{hash_secret(second)}", f"sha256:{hash_secret(first)}")
    assert command.shows("wiki")["secrets"] == 2
    assert command.does("rotate-secret", "wiki", "--drop-old") == ""
    assert hashes(command, "wiki") == (f"sha256:{hash_secret(second)}", None)
    third = json.loads(command.does("rotate-secret", "wiki", "--json"))["client_secret"]
    assert hashes(command, "wiki") == (f"sha256:{hash_secret(third)}", None)
    assert len({first, second, third}) == 3


def test_a_second_changeover_waits_for_the_first_one_to_end(command: ClientCommand) -> None:
    """Else the secret that the application still uses would end without a word."""
    command.adds("Wiki", "--id", "wiki", *REDIRECT)
    command.does("rotate-secret", "wiki", "--keep-old")
    before = hashes(command, "wiki")
    told = command.refuses("rotate-secret", "wiki", "--keep-old")
    assert "has two valid secrets already" in told
    assert "rotate-secret wiki --drop-old" in told
    assert hashes(command, "wiki") == before
    command.does("rotate-secret", "wiki", "--drop-old")
    command.does("rotate-secret", "wiki", "--keep-old")


def test_a_second_client_with_the_same_address_is_added_with_a_note(command: ClientCommand) -> None:
    command.adds("Wiki", "--id", "wiki", *REDIRECT)
    added = command.runs("add", "Wiki", "--id", "again", *REDIRECT)
    assert added.exit_code == 0
    assert f"Note: wiki has the address {REDIRECT[1]} as well" in added.stderr
    other = command.runs("add", "Other", "--redirect-uri", "https://other.example.org/cb")
    assert "Note" not in other.stderr
    programs = ("--public", "--redirect-uri", "http://127.0.0.1/callback")
    command.adds("One", *programs)
    assert "Note" not in command.runs("add", "Two", *programs).stderr


def test_there_is_nothing_to_rotate_in_a_public_client_and_no_former_secret_to_drop(command: ClientCommand) -> None:
    command.adds("Program", "--id", "program", "--public", *REDIRECT)
    command.adds("Wiki", "--id", "wiki", *REDIRECT)
    assert "is a public client" in command.refuses("rotate-secret", "program")
    assert "one secret only" in command.refuses("rotate-secret", "wiki", "--drop-old")


def test_removing_asks_first(command: ClientCommand) -> None:
    command.adds("Wiki", "--id", "wiki", *REDIRECT)
    assert command.runs("remove", "wiki", typed="n\n").exit_code == 1
    assert command.runs("remove", "wiki").exit_code == 1
    assert command.shows("wiki")["state"] == "enabled"
    assert command.runs("remove", "wiki", typed="y\n").exit_code == 0
    assert "There is no client" in command.refuses("show", "wiki")


def test_the_table_has_one_line_a_client(command: ClientCommand) -> None:
    command.adds("Wiki", "--id", "wiki", *REDIRECT)
    command.does("disable", "wiki")
    header, hub, wiki = command.does("list").splitlines()
    assert header.split() == ["CLIENT_ID", "NAME", "TYPE", "GRANTS", "SOURCE", "STATE"]
    assert "settings (read-only)" in hub
    assert wiki.split() == ["wiki", "Wiki", "confidential", "authorization_code", "managed", "disabled"]


def test_without_clients_the_list_is_empty_and_says_how_to_begin(command: ClientCommand) -> None:
    result = command.runs("list", clients="[]")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "clients add --help" in result.stderr
    assert command.runs("list", "--json", clients="[]").stdout == "[]\n"


def test_a_client_that_the_settings_overrule_is_shown_and_can_be_removed(command: ClientCommand) -> None:
    store = command.store()
    store.clients.put(StoredClient(client_id="hub", document="{}", disabled=False), now=0)
    store.close()
    assert "overruled by the settings" in command.does("list")
    command.does("remove", "hub", "--yes")
    assert command.shows("hub")["source"] == "settings"


@pytest.mark.parametrize(
    "name", ["add", "list", "show", "edit", "rotate-secret", "disable", "enable", "remove", "hash"]
)
def test_every_command_explains_itself(name: str) -> None:
    result = CliRunner().invoke(main, ["clients", name, "--help"])
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) > 5


def test_the_hash_of_a_secret_is_what_the_settings_take(command: ClientCommand) -> None:
    assert command.runs("hash", typed="s3cret\n").stdout == f'client_secret_hash = "sha256:{hash_secret("s3cret")}"\n'
    assert "No secret on standard input" in command.refuses("hash")
