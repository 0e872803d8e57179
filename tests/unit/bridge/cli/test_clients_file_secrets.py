"""Secrets in `passerelle clients apply` and `export`, and exports that are applied again."""

from __future__ import annotations

import json
import shutil
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.cli.client_file import as_toml
from bridge.oauth.clients import hash_secret
from bridge.store import StoreFailure
from tests.support.bridge.client_command import REDIRECT, ClientCommand, command
from tests.support.bridge.client_files import PAGE, WIKI, apply, apply_json, documents

__all__ = ["command"]  # a fixture


def test_generate_keeps_rotation_and_hash_ends_it(command: ClientCommand) -> None:
    apply_json(command, WIKI)
    command.output("rotate-secret", "wiki", "--keep-old")
    assert apply_json(command, WIKI)["changes"] == []
    kept = documents(command)["wiki"]
    assert kept.keys() >= {"client_secret_hash", "former_secret_hash"}
    (change,) = apply_json(command, WIKI.replace("generate", kept["client_secret_hash"]))["changes"]
    assert change["fields"]["secret"]["after"] == "registered, without the former one"
    assert "former_secret_hash" not in documents(command)["wiki"]


def test_secrets_in_file_are_stored_as_hashes(command: ClientCommand) -> None:
    secret_file = command.database.with_name("secret")
    secret_file.write_text("from a file\n")
    text = WIKI.replace('client_secret_hash = "generate"', 'client_secret = "in the file"')
    apply_json(command, text)
    assert documents(command)["wiki"]["client_secret_hash"] == f"sha256:{hash_secret('in the file')}"
    assert "in the file" not in json.dumps(documents(command))
    assert apply_json(command, text)["changes"] == []
    bare = WIKI.replace("generate", hash_secret("in the file"))
    assert apply_json(command, bare)["changes"] == []
    text = WIKI.replace('client_secret_hash = "generate"', f'client_secret_file = "{secret_file}"')
    (change,) = apply_json(command, text)["changes"]
    assert change["fields"] == {"secret": {"before": "registered", "after": "from the file"}}
    assert documents(command)["wiki"]["client_secret_hash"] == f"sha256:{hash_secret('from a file')}"


def test_omitted_secret_does_not_make_client_public(command: ClientCommand) -> None:
    """The administrator may have moved the secret elsewhere."""
    apply_json(command, WIKI)
    before = documents(command)
    refused = apply(command, WIKI.replace('client_secret_hash = "generate"\n', ""), "--yes")
    assert refused.exit_code == 1
    assert 'wiki: has a secret, but the file has none. Write client_secret_hash = "generate"' in refused.stderr
    assert "public = true" in refused.stderr
    assert documents(command) == before


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("public = true", "public: true excludes a secret"),
        ("public = false", None),
        ("public = 'yes'", "public: must be true or false"),
    ],
)
def test_public_field_must_match_the_secret(command: ClientCommand, more: str, says: str | None) -> None:
    done = apply(command, f"{WIKI}{more}\n", "--yes")
    assert done.exit_code == (0 if says is None else 1), done.output
    assert says is None or f"wiki: {says}" in done.stderr
    assert "page: public: false needs a secret" in apply(command, f"{PAGE}public = false\n", "--yes").stderr


def test_change_of_client_type_is_listed(command: ClientCommand) -> None:
    apply_json(command, WIKI)
    public = WIKI.replace('client_secret_hash = "generate"\n', "public = true\n")
    (change,) = apply_json(command, public)["changes"]
    assert change["fields"] == {"secret": {"before": "registered", "after": "none (public)"}}
    again = apply_json(command, WIKI)
    assert again["changes"][0]["fields"] == {"secret": {"before": "none (public)", "after": "new (shown once)"}}
    assert documents(command)["wiki"]["client_secret_hash"] == f"sha256:{hash_secret(again['secrets']['wiki'])}"


def test_secrets_file_is_new_and_private(command: ClientCommand, tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    done = apply(command, WIKI + PAGE, "--yes", "--secrets-file", str(path))
    assert done.exit_code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    secrets = json.loads(path.read_text())
    assert set(secrets) == {"wiki"}
    assert secrets["wiki"] not in done.output
    assert documents(command)["wiki"]["client_secret_hash"] == f"sha256:{hash_secret(secrets['wiki'])}"
    more = WIKI.replace('"wiki"', '"wiki-2"')
    refused = apply(command, WIKI + more, "--yes", "--secrets-file", str(path))
    assert refused.exit_code == 1
    assert "exists already" in refused.stderr
    assert json.loads(path.read_text()) == secrets
    assert "wiki-2" not in documents(command)
    missing = apply(command, WIKI + more, "--yes", "--secrets-file", str(tmp_path / "no" / "s.json"))
    assert "Cannot write" in missing.stderr
    assert "wiki-2" not in documents(command)


@pytest.mark.parametrize(
    ("failure", "says"),
    [
        (KeyboardInterrupt(), "Aborted"),
        (StoreFailure("the server closed the connection"), "The database rejected the operation"),
    ],
)
def test_secrets_file_is_kept_if_change_may_be_committed(
    command: ClientCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException, says: str
) -> None:
    """The change may be committed, and then the file is the only copy."""

    def fails(*_args: Any, **_kwargs: Any) -> int:
        raise failure

    monkeypatch.setattr("bridge.cli.client_file.apply_plan", fails)
    path = tmp_path / "secrets.json"
    done = apply(command, WIKI, "--yes", "--secrets-file", str(path))
    assert done.exit_code == 1
    assert says in done.stderr
    assert f"{path} holds secrets that are valid if `clients list` shows" in done.stderr
    assert set(json.loads(path.read_text())) == {"wiki"}


def test_export_reapplies_without_changes(command: ClientCommand) -> None:
    command.add('Wiki é😀 "\\', "--id", "wiki", *REDIRECT, "--allowed-attribute", "ui d=a'\"b", "--claim", "email")
    command.add("Page", "--id", "page", "--public", *REDIRECT)
    command.add("Off", "--id", "off", *REDIRECT)
    command.output("disable", "off")
    command.output("rotate-secret", "wiki", "--keep-old")
    before = documents(command)
    for words in ([], ["--hashes"]):
        exported = command.output("export", *words)
        assert apply_json(command, exported, "--prune")["changes"] == []
    assert documents(command) == before
    assert (
        json.loads(command.output("export", "--json"))["clients"] == tomllib.loads(command.output("export"))["clients"]
    )


def test_export_has_hashes_only_on_request(command: ClientCommand) -> None:
    secret = command.add("Wiki", "--id", "wiki", *REDIRECT)["client_secret"]
    plain = command.run("export")
    assert 'client_secret_hash = "generate"' in plain.stdout
    assert hash_secret(secret) not in plain.stdout
    asked = command.run("export", "--hashes")
    assert hash_secret(secret) in asked.stdout
    assert "keep the file private" in asked.stderr
    for result in (plain, asked):
        assert secret not in result.output
        assert "hub" not in result.stdout


def test_export_with_hashes_moves_secrets(command: ClientCommand, sqlite_template: Path, tmp_path: Path) -> None:
    command.add("Wiki", "--id", "wiki", *REDIRECT)
    moved = command.output("export", "--hashes")
    elsewhere = ClientCommand(Path(shutil.copy(sqlite_template, tmp_path / "elsewhere.sqlite3")))
    apply_json(elsewhere, moved)
    assert documents(elsewhere) == documents(command)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]{1,10}", fullmatch=True),
        st.booleans()
        | st.integers(0, 2**31)
        | st.text(st.characters(exclude_categories=["Cs"]))
        | st.lists(st.text(st.characters(exclude_categories=["Cs"])))
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.lists(st.text("ab'\"\\\x7f\n"))),
        min_size=1,
    )
)
def test_export_is_valid_toml(entry: dict[str, Any]) -> None:
    assert tomllib.loads(as_toml([entry]))["clients"] == [entry]
