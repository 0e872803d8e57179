"""`passerelle clients`: registering, changing and listing clients, without exposing secrets."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner

from bridge.cli import main
from bridge.oauth.clients import hash_secret
from bridge.store import StoredClient
from tests.support.bridge.client_command import REDIRECT, ClientCommand, command

__all__ = ["command"]  # a fixture


def test_add_prints_a_secret_that_is_not_stored(command: ClientCommand) -> None:
    result = command.run("add", "The Wiki", *REDIRECT)
    found = re.fullmatch(r"client_id: (the-wiki-[0-9a-f]{8})\nclient_secret: (\S{43})\n", result.stdout)
    assert found, result.output
    client_id, secret = found.groups()
    assert secret not in result.stderr
    everything = b"".join(file.read_bytes() for file in command.database.parent.iterdir())
    assert secret.encode() not in everything
    assert hash_secret(secret).encode() in everything
    assert command.show(client_id)["secrets"] == 1


def test_output_contains_no_secret_or_hash(command: ClientCommand) -> None:
    added = command.add("Wiki", *REDIRECT)
    for words in (
        ["list"],
        ["list", "--json"],
        ["show", added["client_id"]],
        ["show", "hub"],
        ["show", "hub", "--json"],
    ):
        shown = command.output(*words)
        assert hash_secret(added["client_secret"]) not in shown
        assert "hub-s3cret" not in shown


def test_every_option_is_registered(command: ClientCommand) -> None:
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
    added = command.add("Wiki", "--id", "wiki", *words)
    assert command.show("wiki") == {
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


def test_public_client_gets_no_secret(command: ClientCommand) -> None:
    assert set(command.add("Program", "--public", "--redirect-uri", "http://127.0.0.1/cb")) == {"client_id"}


def test_pairwise_client_gets_note_on_identifying_scopes(command: ClientCommand) -> None:
    assert "identify the user" in command.run("add", "A", "--pairwise", *REDIRECT).stderr
    quiet = command.run("add", "B", "--pairwise", "--scope", "openid", *REDIRECT)
    assert "identify the user" not in quiet.stderr


def test_edit_replaces_given_fields_only(command: ClientCommand) -> None:
    command.add("Wiki", "--id", "wiki", "--allowed-group", "staff", "--consent", *REDIRECT)
    before = command.show("wiki")
    command.output("edit", "wiki", "--name", "New", "--allowed-group", "a", "--allowed-group", "b", "--no-consent")
    assert command.show("wiki") == {**before, "client_name": "New", "allowed_groups": ["a", "b"], "consent": False}
    command.output("edit", "wiki", "--clear", "allowed-group")
    assert command.show("wiki")["allowed_groups"] == []


def hashes(command: ClientCommand, client_id: str) -> tuple[str | None, str | None]:
    store = command.store()
    (stored,) = [client for client in store.clients.all() if client.client_id == client_id]
    store.close()
    document = json.loads(stored.document)
    return document.get("client_secret_hash"), document.get("former_secret_hash")


def test_rotation_replaces_or_keeps_the_old_secret(command: ClientCommand) -> None:
    first = command.add("Wiki", "--id", "wiki", *REDIRECT)["client_secret"]
    second = json.loads(command.output("rotate-secret", "wiki", "--keep-old", "--json"))["client_secret"]
    assert hashes(command, "wiki") == (f"sha256:{hash_secret(second)}", f"sha256:{hash_secret(first)}")
    assert command.show("wiki")["secrets"] == 2
    assert command.output("rotate-secret", "wiki", "--drop-old") == ""
    assert hashes(command, "wiki") == (f"sha256:{hash_secret(second)}", None)
    third = json.loads(command.output("rotate-secret", "wiki", "--json"))["client_secret"]
    assert hashes(command, "wiki") == (f"sha256:{hash_secret(third)}", None)
    assert len({first, second, third}) == 3


def test_second_rotation_needs_the_first_to_end(command: ClientCommand) -> None:
    """Otherwise the secret that the application still uses could end unnoticed."""
    command.add("Wiki", "--id", "wiki", *REDIRECT)
    command.output("rotate-secret", "wiki", "--keep-old")
    before = hashes(command, "wiki")
    error = command.error("rotate-secret", "wiki", "--keep-old")
    assert "has two valid secrets already" in error
    assert "rotate-secret wiki --drop-old" in error
    assert hashes(command, "wiki") == before
    command.output("rotate-secret", "wiki", "--drop-old")
    command.output("rotate-secret", "wiki", "--keep-old")


def test_shared_redirect_uri_is_noted(command: ClientCommand) -> None:
    command.add("Wiki", "--id", "wiki", *REDIRECT)
    added = command.run("add", "Wiki", "--id", "again", *REDIRECT)
    assert added.exit_code == 0
    assert f"Note: wiki also has the redirect URI {REDIRECT[1]}" in added.stderr
    other = command.run("add", "Other", "--redirect-uri", "https://other.example.org/cb")
    assert "Note" not in other.stderr
    programs = ("--public", "--redirect-uri", "http://127.0.0.1/callback")
    command.add("One", *programs)
    assert "Note" not in command.run("add", "Two", *programs).stderr


def test_rotation_needs_a_secret_and_drop_needs_a_former_one(command: ClientCommand) -> None:
    command.add("Program", "--id", "program", "--public", *REDIRECT)
    command.add("Wiki", "--id", "wiki", *REDIRECT)
    assert "is a public client" in command.error("rotate-secret", "program")
    assert "only one secret" in command.error("rotate-secret", "wiki", "--drop-old")


def test_remove_asks_for_confirmation(command: ClientCommand) -> None:
    command.add("Wiki", "--id", "wiki", *REDIRECT)
    assert command.run("remove", "wiki", typed="n\n").exit_code == 1
    assert command.run("remove", "wiki").exit_code == 1
    assert command.show("wiki")["state"] == "enabled"
    assert command.run("remove", "wiki", typed="y\n").exit_code == 0
    assert "There is no client" in command.error("show", "wiki")


def test_list_has_one_line_per_client(command: ClientCommand) -> None:
    command.add("Wiki", "--id", "wiki", *REDIRECT)
    command.output("disable", "wiki")
    header, hub, wiki = command.output("list").splitlines()
    assert header.split() == ["CLIENT_ID", "NAME", "TYPE", "GRANTS", "SOURCE", "STATE"]
    assert "settings (read-only)" in hub
    assert wiki.split() == ["wiki", "Wiki", "confidential", "authorization_code", "managed", "disabled"]


def test_empty_list_explains_how_to_add(command: ClientCommand) -> None:
    result = command.run("list", clients="[]")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "clients add --help" in result.stderr
    assert command.run("list", "--json", clients="[]").stdout == "[]\n"


def test_shadowed_client_is_listed_and_removable(command: ClientCommand) -> None:
    store = command.store()
    store.clients.put(StoredClient(client_id="hub", document="{}", disabled=False), now=0)
    store.close()
    assert "overridden by the settings" in command.output("list")
    command.output("remove", "hub", "--yes")
    assert command.show("hub")["source"] == "settings"


@pytest.mark.parametrize(
    "name", ["add", "list", "show", "edit", "rotate-secret", "disable", "enable", "remove", "hash"]
)
def test_every_command_has_help(name: str) -> None:
    result = CliRunner().invoke(main, ["clients", name, "--help"])
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) > 5


def test_hash_prints_the_settings_value(command: ClientCommand) -> None:
    assert command.run("hash", typed="s3cret\n").stdout == f'client_secret_hash = "sha256:{hash_secret("s3cret")}"\n'
    assert "No secret on standard input" in command.error("hash")
