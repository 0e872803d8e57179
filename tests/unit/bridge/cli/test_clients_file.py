"""`passerelle clients apply`: plans, confirmation and errors."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from bridge.oauth.clients import hash_secret
from bridge.store import AccessToken, Grant, StoredClient, TokenRecords, fingerprint
from tests.support.bridge.client_command import ClientCommand, command
from tests.support.bridge.client_files import PAGE, WIKI, apply, apply_json, documents, write_file

__all__ = ["command"]  # a fixture


def test_apply_plans_confirms_and_registers(command: ClientCommand) -> None:
    refused = apply(command, WIKI + PAGE, typed="n\n")
    assert refused.exit_code == 1
    assert "+ wiki\n" in refused.stdout
    assert '    redirect_uris: ["https://wiki.example.org/cb"]\n' in refused.stdout
    assert "    secret: new (shown once)\n" in refused.stdout
    assert "    secret: none (public)\n" in refused.stdout
    assert documents(command) == {}
    done = apply(command, WIKI + PAGE, typed="y\n")
    assert done.exit_code == 0
    secret = done.stdout.rpartition("client_id: wiki\nclient_secret: ")[2].strip()
    assert documents(command)["wiki"]["client_secret_hash"] == f"sha256:{hash_secret(secret)}"
    assert secret not in done.stderr
    assert command.show("page")["allowed_attributes"] == {"uid": ["a", "b"]}


def test_byte_order_mark_is_ignored(command: ClientCommand) -> None:
    apply_json(command, "\ufeff" + WIKI)
    assert list(documents(command)) == ["wiki"]


def test_missing_confirmation_aborts(command: ClientCommand) -> None:
    assert apply(command, WIKI).exit_code == 1
    assert documents(command) == {}


def test_reapplying_changes_nothing(command: ClientCommand) -> None:
    apply_json(command, WIKI + PAGE)
    before = documents(command)
    again = apply(command, WIKI + PAGE)
    assert again.exit_code == 0
    assert again.stdout == "Nothing to change: 2 unchanged.\n"
    assert apply(command, WIKI + PAGE, "--dry-run").exit_code == 0
    assert documents(command) == before


def test_dry_run_exits_with_status_3_on_changes(command: ClientCommand) -> None:
    dry = apply(command, WIKI, "--dry-run", "--json")
    assert dry.exit_code == 3
    plan = json.loads(dry.stdout)
    assert (plan["applied"], plan["secrets"]) == (False, {})
    assert [(change["client_id"], change["action"]) for change in plan["changes"]] == [("wiki", "add")]
    assert documents(command) == {}


def test_change_is_listed_by_field_and_keeps_secret(command: ClientCommand) -> None:
    first = apply_json(command, WIKI)
    assert set(first["secrets"]) == {"wiki"}
    hashed = documents(command)["wiki"]["client_secret_hash"]
    changed = WIKI.replace("The Wiki", "Wiki") + "consent = true\n"
    plan = apply_json(command, changed)
    assert plan["changes"] == [
        {
            "client_id": "wiki",
            "action": "change",
            "fields": {
                "client_name": {"before": "The Wiki", "after": "Wiki"},
                "consent": {"before": None, "after": True},
            },
        }
    ]
    assert plan["secrets"] == {}
    assert documents(command)["wiki"]["client_secret_hash"] == hashed


def test_clients_not_in_file_stay_without_prune(command: ClientCommand) -> None:
    apply_json(command, WIKI + PAGE)
    assert apply_json(command, WIKI)["not_in_file"] == ["page"]
    assert "1 not in the file and not affected" in apply(command, WIKI).stdout
    (change,) = apply_json(command, WIKI, "--prune")["changes"]
    assert (change["client_id"], change["action"]) == ("page", "remove")
    assert set(documents(command)) == {"wiki"}


def test_empty_file_cannot_prune(command: ClientCommand) -> None:
    apply_json(command, WIKI)
    refused = apply(command, "# nothing\n", "--prune", "--yes")
    assert refused.exit_code == 1
    assert "would remove all of them" in refused.stderr
    assert set(documents(command)) == {"wiki"}


def holds_access(command: ClientCommand, client_id: str) -> bool:
    store = command.store()
    found = store.grants.find_access_token(fingerprint(client_id), now=1) is not None
    store.close()
    return found


@pytest.mark.parametrize("text", [PAGE, WIKI + "disabled = true\n" + PAGE])
def test_removed_or_disabled_client_loses_its_grants(command: ClientCommand, text: str) -> None:
    apply_json(command, WIKI + PAGE)
    store = command.store()
    for name in ("wiki", "page"):
        grant = Grant(
            grant_id=name,
            client_id=name,
            sid=None,
            identity=None,
            scope="",
            request="",
            auth_time=None,
            offline=True,
            created_at=0,
        )
        token = AccessToken(token_hash=fingerprint(name), grant_id=name, scope="", issued_at=0, expires_at=2**40)
        store.grants.begin_with_token(grant, TokenRecords(access_token=token, refresh_token=None))
    store.close()
    done = apply(command, text, "--prune", "--yes")
    assert "Revoked grants: 1" in done.stderr
    assert (holds_access(command, "wiki"), holds_access(command, "page")) == (False, True)


def test_disabled_field_disables_and_enables(command: ClientCommand) -> None:
    apply_json(command, WIKI + "disabled = true\n")
    assert command.show("wiki")["state"] == "disabled"
    (change,) = apply_json(command, WIKI)["changes"]
    assert change["fields"] == {"disabled": {"before": True, "after": False}}
    assert command.show("wiki")["state"] == "enabled"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("clients = 1", "a list of tables"),
        ("clients = [1]", "a list of tables"),
        ("[clients]\nx = 1", "a list of tables"),
        ("issuer = 'x'", "has issuer: only [[clients]]"),
        ("[[clients]", "is not TOML"),
        ("x = " + "[" * 50_000, "is not TOML"),
        (PAGE + "x = 1", "page: x: unknown field\n"),
        (
            PAGE + "redirect_uri = 'https://a'",
            "page: redirect_uri: unknown field; did you mean redirect_uris?",
        ),
        (PAGE + "recipe = 'grafana'", "page: recipe: unknown field"),
        (PAGE.replace('client_id = "page"', ""), "entry 2: client_id: Field required"),
        (PAGE + "client_secret = 'x'\nclient_secret_hash = 'generate'", "are both set"),
        (
            PAGE + "client_secret_hash = 'generate'\nformer_secret_hash = '" + "0" * 64 + "'",
            "client_secret_hash other",
        ),
        (PAGE + "client_secret_file = '/does/not/exist'", "No such file"),
        (PAGE + "client_secret = ''", "page: client_secret"),
        (PAGE + "disabled = 'yes'", "page: disabled: must be true or false"),
        (PAGE.replace("https", "http"), "is plain http"),
        (PAGE.replace('"page"', '"hub"'), "hub is defined in the settings"),
        (PAGE.replace('"page"', "7"), "client_id"),
        (PAGE + PAGE, "page: is in the file more than once"),
        (PAGE + 'client_name = "a\\u0007b"', "printable"),
        (PAGE.replace('"page"', '"a\\u001bb"'), "a?b: client_id"),
        (PAGE + 'client_name = "\\u202e"', "printable"),
    ],
)
def test_invalid_file_changes_nothing(command: ClientCommand, text: str, says: str) -> None:
    refused = apply(command, WIKI + text if text.startswith("\n") else text, "--yes")
    assert refused.exit_code == 1
    assert isinstance(refused.exception, SystemExit)
    assert says in refused.stderr
    assert refused.stdout == ""
    assert documents(command) == {}


def test_all_faults_are_reported_together(command: ClientCommand) -> None:
    refused = apply(command, PAGE.replace("https", "http") + WIKI + "scopes = ['root']\n", "--yes")
    assert "page: redirect_uris" in refused.stderr
    assert "wiki: " in refused.stderr
    assert "root: unknown scope" in refused.stderr


def test_unreadable_file_is_reported(command: ClientCommand, tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    for name, says in {"absent.toml": "No such file", ".": "Is a directory", "binary.toml": "not UTF-8"}.items():
        assert says in command.error("apply", str(tmp_path / name), "--yes")


def test_standard_input_needs_yes_or_dry_run(command: ClientCommand) -> None:
    assert "cannot confirm" in command.error("apply", "-", status=2)
    assert "--json cannot ask" in command.error("apply", write_file(command, WIKI), "--json", status=2)
    assert command.run("apply", "-", "--yes", typed=PAGE).exit_code == 0
    assert set(documents(command)) == {"page"}


def test_concurrent_change_aborts_apply(
    command: ClientCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The confirmed plan is applied or nothing is, and the secrets file is deleted."""
    apply_json(command, PAGE)

    def meanwhile(*_args: Any, **_kwargs: Any) -> bool:
        store = command.store()
        store.clients.put(StoredClient(client_id="other", document="{}", disabled=False), now=1)
        store.close()
        return True

    monkeypatch.setattr("click.confirm", meanwhile)
    path = tmp_path / "secrets.json"
    refused = apply(command, WIKI + PAGE, "--secrets-file", str(path))
    assert refused.exit_code == 1
    assert "Another command changed a client" in refused.stderr
    assert set(documents(command)) == {"page", "other"}
    assert not path.exists()


def test_unreadable_client_blocks_apply_and_is_not_exported(command: ClientCommand) -> None:
    store = command.store()
    store.clients.put(StoredClient(client_id="wiki", document='{"x": 1}', disabled=False), now=1)
    store.close()
    assert "another version wrote it" in command.error("apply", write_file(command, WIKI), "--yes")
    exported = command.run("export")
    assert exported.exit_code == 0
    assert "Left out: wiki cannot be read" in exported.stderr
    assert tomllib.loads(exported.stdout) == {}
