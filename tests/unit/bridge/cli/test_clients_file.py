"""`passerelle clients apply`: a file says what is registered, and a plan says what that changes."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from bridge.oauth.clients import hash_secret
from bridge.store import AccessToken, Grant, Minted, StoredClient, fingerprint
from tests.support.bridge.client_command import ClientCommand, command, empty_database
from tests.support.bridge.client_files import PAGE, WIKI, applied, apply, documents, write

__all__ = ["command", "empty_database"]  # fixtures


def test_a_new_file_is_planned_asked_for_and_done(command: ClientCommand) -> None:
    refused = apply(command, WIKI + PAGE, typed="n\n")
    assert refused.exit_code == 1
    assert "+ wiki\n" in refused.stdout
    assert '    redirect_uris: ["https://wiki.example.org/cb"]\n' in refused.stdout
    assert "    secret: a new one, told once\n" in refused.stdout
    assert "    secret: none (public)\n" in refused.stdout
    assert documents(command) == {}
    done = apply(command, WIKI + PAGE, typed="y\n")
    assert done.exit_code == 0
    told = done.stdout.rpartition("client_id: wiki\nclient_secret: ")[2].strip()
    assert documents(command)["wiki"]["client_secret_hash"] == f"sha256:{hash_secret(told)}"
    assert told not in done.stderr
    assert command.shows("page")["allowed_attributes"] == {"uid": ["a", "b"]}


def test_the_mark_that_editors_of_windows_begin_with_is_passed_over(command: ClientCommand) -> None:
    applied(command, "\ufeff" + WIKI)
    assert list(documents(command)) == ["wiki"]


def test_nobody_to_answer_is_a_no(command: ClientCommand) -> None:
    assert apply(command, WIKI).exit_code == 1
    assert documents(command) == {}


def test_the_same_file_again_changes_nothing(command: ClientCommand) -> None:
    applied(command, WIKI + PAGE)
    before = documents(command)
    again = apply(command, WIKI + PAGE)
    assert again.exit_code == 0
    assert again.stdout == "Nothing to do: 2 as they should be.\n"
    assert apply(command, WIKI + PAGE, "--dry-run").exit_code == 0
    assert documents(command) == before


def test_a_dry_run_changes_nothing_and_says_by_its_status_whether_there_is_something(command: ClientCommand) -> None:
    dry = apply(command, WIKI, "--dry-run", "--json")
    assert dry.exit_code == 3
    plan = json.loads(dry.stdout)
    assert (plan["applied"], plan["secrets"]) == (False, {})
    assert [(change["client_id"], change["action"]) for change in plan["changes"]] == [("wiki", "add")]
    assert documents(command) == {}


def test_a_change_is_shown_field_by_field_and_keeps_the_secret(command: ClientCommand) -> None:
    first = applied(command, WIKI)
    assert set(first["secrets"]) == {"wiki"}
    hashed = documents(command)["wiki"]["client_secret_hash"]
    changed = WIKI.replace("The Wiki", "Wiki") + "consent = true\n"
    plan = applied(command, changed)
    assert plan["changes"] == [
        {
            "client_id": "wiki",
            "action": "change",
            "fields": {
                "client_name": {"before": "The Wiki", "after": "Wiki"},
                "consent": {"before": False, "after": True},
            },
        }
    ]
    assert plan["secrets"] == {}
    assert documents(command)["wiki"]["client_secret_hash"] == hashed


def test_what_is_not_in_the_file_stays_unless_it_is_to_be_pruned(command: ClientCommand) -> None:
    applied(command, WIKI + PAGE)
    assert applied(command, WIKI)["not_in_file"] == ["page"]
    assert "1 not in the file and left alone" in apply(command, WIKI).stdout
    (change,) = applied(command, WIKI, "--prune")["changes"]
    assert (change["client_id"], change["action"]) == ("page", "remove")
    assert set(documents(command)) == {"wiki"}


def test_an_empty_file_prunes_nobody(command: ClientCommand) -> None:
    applied(command, WIKI)
    refused = apply(command, "# nothing\n", "--prune", "--yes")
    assert refused.exit_code == 1
    assert "would remove every one" in refused.stderr
    assert set(documents(command)) == {"wiki"}


def holds_access(command: ClientCommand, client_id: str) -> bool:
    store = command.store()
    found = store.grants.find_access_token(fingerprint(client_id), now=1) is not None
    store.close()
    return found


@pytest.mark.parametrize("text", [PAGE, WIKI + "disabled = true\n" + PAGE])
def test_who_goes_or_is_switched_off_loses_what_it_holds(command: ClientCommand, text: str) -> None:
    applied(command, WIKI + PAGE)
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
        store.grants.begin_with_token(grant, Minted(access_token=token, refresh_token=None))
    store.close()
    done = apply(command, text, "--prune", "--yes")
    assert "grants taken back: 1" in done.stderr
    assert (holds_access(command, "wiki"), holds_access(command, "page")) == (False, True)


def test_disabled_is_a_word_of_the_file_and_its_absence_enables(command: ClientCommand) -> None:
    applied(command, WIKI + "disabled = true\n")
    assert command.shows("wiki")["state"] == "disabled"
    (change,) = applied(command, WIKI)["changes"]
    assert change["fields"] == {"disabled": {"before": True, "after": False}}
    assert command.shows("wiki")["state"] == "enabled"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("clients = 1", "a list of tables"),
        ("clients = [1]", "a list of tables"),
        ("[clients]\nx = 1", "a list of tables"),
        ("issuer = 'x'", "has issuer: only [[clients]]"),
        ("[[clients]", "is not TOML"),
        ("x = " + "[" * 50_000, "is not TOML"),
        (PAGE + "x = 1", "page: x: there is no such field\n"),
        (
            PAGE + "redirect_uri = 'https://a'",
            "page: redirect_uri: there is no such field; did you mean redirect_uris?",
        ),
        (PAGE + "recipe = 'grafana'", "page: recipe: there is no such field"),
        (PAGE.replace('client_id = "page"', ""), "entry 2: client_id: Field required"),
        (PAGE + "client_secret = 'x'\nclient_secret_hash = 'generate'", "are both given"),
        (PAGE + "client_secret_hash = 'generate'\nformer_secret_hash = '" + "0" * 64 + "'", "goes with"),
        (PAGE + "client_secret_file = '/does/not/exist'", "No such file"),
        (PAGE + "client_secret = ''", "page: client_secret"),
        (PAGE + "disabled = 'yes'", "page: disabled: is true or false"),
        (PAGE.replace("https", "http"), "is plain http"),
        (PAGE.replace('"page"', '"hub"'), "hub is registered in the settings"),
        (PAGE.replace('"page"', "7"), "client_id"),
        (PAGE + PAGE, "page: is in the file more than once"),
        (PAGE + 'client_name = "a\\u0007b"', "printable"),
        (PAGE.replace('"page"', '"a\\u001bb"'), "a?b: client_id"),
        (PAGE + 'client_name = "\\u202e"', "printable"),
    ],
)
def test_a_faulty_file_changes_nothing(command: ClientCommand, text: str, says: str) -> None:
    refused = apply(command, WIKI + text if text.startswith("\n") else text, "--yes")
    assert refused.exit_code == 1
    assert isinstance(refused.exception, SystemExit)
    assert says in refused.stderr
    assert refused.stdout == ""
    assert documents(command) == {}


def test_every_fault_is_told_at_once(command: ClientCommand) -> None:
    refused = apply(command, PAGE.replace("https", "http") + WIKI + "scopes = ['root']\n", "--yes")
    assert "page: redirect_uris" in refused.stderr
    assert "wiki: " in refused.stderr
    assert "root: not known here" in refused.stderr


def test_a_file_that_cannot_be_read_is_told_in_a_sentence(command: ClientCommand, tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    for name, says in {"absent.toml": "No such file", ".": "Is a directory", "binary.toml": "not UTF-8"}.items():
        assert says in command.refuses("apply", str(tmp_path / name), "--yes")


def test_standard_input_is_a_file_that_nobody_can_be_asked_over(command: ClientCommand) -> None:
    assert "nobody can be asked" in command.refuses("apply", "-", status=2)
    assert "--json cannot ask" in command.refuses("apply", write(command, WIKI), "--json", status=2)
    assert command.runs("apply", "-", "--yes", typed=PAGE).exit_code == 0
    assert set(documents(command)) == {"page"}


def test_a_change_by_somebody_else_in_between_is_not_overwritten(
    command: ClientCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan that was agreed to is carried out, or nothing is: the secrets written for it are taken away."""
    applied(command, PAGE)

    def meanwhile(*_args: Any, **_kwargs: Any) -> bool:
        store = command.store()
        store.clients.put(StoredClient(client_id="other", document="{}", disabled=False), now=1)
        store.close()
        return True

    monkeypatch.setattr("click.confirm", meanwhile)
    path = tmp_path / "secrets.json"
    refused = apply(command, WIKI + PAGE, "--secrets-file", str(path))
    assert refused.exit_code == 1
    assert "Somebody else changed a client meanwhile" in refused.stderr
    assert set(documents(command)) == {"page", "other"}
    assert not path.exists()


def test_what_another_version_wrote_is_not_guessed_at(command: ClientCommand) -> None:
    store = command.store()
    store.clients.put(StoredClient(client_id="wiki", document='{"x": 1}', disabled=False), now=1)
    store.close()
    assert "cannot be read: another version wrote it" in command.refuses("apply", write(command, WIKI), "--yes")
    exported = command.runs("export")
    assert exported.exit_code == 0
    assert "Left out: wiki cannot be read" in exported.stderr
    assert tomllib.loads(exported.stdout) == {}
