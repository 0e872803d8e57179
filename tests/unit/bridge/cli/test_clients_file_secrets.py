"""What `passerelle clients apply` and `export` do with secrets, and that what was exported can be applied."""

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
from tests.support.bridge.client_command import REDIRECT, ClientCommand, command, empty_database
from tests.support.bridge.client_files import PAGE, WIKI, applied, apply, documents

__all__ = ["command", "empty_database"]  # fixtures


def test_a_changeover_of_secrets_is_left_alone_by_generate_and_ended_by_a_hash(command: ClientCommand) -> None:
    applied(command, WIKI)
    command.does("rotate-secret", "wiki", "--keep-old")
    assert applied(command, WIKI)["changes"] == []
    kept = documents(command)["wiki"]
    assert kept.keys() >= {"client_secret_hash", "former_secret_hash"}
    (change,) = applied(command, WIKI.replace("generate", kept["client_secret_hash"]))["changes"]
    assert change["fields"]["secret"]["after"] == "as registered, without the former one"
    assert "former_secret_hash" not in documents(command)["wiki"]


def test_secrets_and_hashes_of_the_file_end_up_as_hashes(command: ClientCommand) -> None:
    secret_file = command.database.with_name("secret")
    secret_file.write_text("from a file\n")
    text = WIKI.replace('client_secret_hash = "generate"', 'client_secret = "in the file"')
    applied(command, text)
    assert documents(command)["wiki"]["client_secret_hash"] == f"sha256:{hash_secret('in the file')}"
    assert "in the file" not in json.dumps(documents(command))
    assert applied(command, text)["changes"] == []
    bare = WIKI.replace("generate", hash_secret("in the file"))
    assert applied(command, bare)["changes"] == []
    text = WIKI.replace('client_secret_hash = "generate"', f'client_secret_file = "{secret_file}"')
    (change,) = applied(command, text)["changes"]
    assert change["fields"] == {"secret": {"before": "as registered", "after": "as in the file"}}
    assert documents(command)["wiki"]["client_secret_hash"] == f"sha256:{hash_secret('from a file')}"


def test_a_secret_that_is_left_out_makes_no_client_public(command: ClientCommand) -> None:
    """Somebody took it out of the file, perhaps to keep it somewhere else."""
    applied(command, WIKI)
    before = documents(command)
    refused = apply(command, WIKI.replace('client_secret_hash = "generate"\n', ""), "--yes")
    assert refused.exit_code == 1
    assert 'wiki: has a secret, and the file names none. Write client_secret_hash = "generate"' in refused.stderr
    assert "public = true" in refused.stderr
    assert documents(command) == before


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("public = true", "public: has no secret"),
        ("public = false", None),
        ("public = 'yes'", "public: is true or false"),
    ],
)
def test_public_says_whether_there_is_a_secret(command: ClientCommand, more: str, says: str | None) -> None:
    done = apply(command, f"{WIKI}{more}\n", "--yes")
    assert done.exit_code == (0 if says is None else 1), done.output
    assert says is None or f"wiki: {says}" in done.stderr
    assert "page: public: needs a secret" in apply(command, f"{PAGE}public = false\n", "--yes").stderr


def test_a_client_becomes_public_or_confidential_only_with_the_plan_saying_so(command: ClientCommand) -> None:
    applied(command, WIKI)
    public = WIKI.replace('client_secret_hash = "generate"\n', "public = true\n")
    (change,) = applied(command, public)["changes"]
    assert change["fields"] == {"secret": {"before": "as registered", "after": "none (public)"}}
    again = applied(command, WIKI)
    assert again["changes"][0]["fields"] == {"secret": {"before": "none (public)", "after": "a new one, told once"}}
    assert documents(command)["wiki"]["client_secret_hash"] == f"sha256:{hash_secret(again['secrets']['wiki'])}"


def test_new_secrets_go_into_a_new_file_that_only_its_owner_reads(command: ClientCommand, tmp_path: Path) -> None:
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
    assert "is there already" in refused.stderr
    assert json.loads(path.read_text()) == secrets
    assert "wiki-2" not in documents(command)
    missing = apply(command, WIKI + more, "--yes", "--secrets-file", str(tmp_path / "no" / "s.json"))
    assert "Cannot write" in missing.stderr
    assert "wiki-2" not in documents(command)


@pytest.mark.parametrize(
    ("failure", "says"),
    [
        (KeyboardInterrupt(), "Aborted"),
        (StoreFailure("the server closed the connection"), "The database does not do what was asked of it"),
    ],
)
def test_secrets_that_may_count_by_now_are_not_taken_away(
    command: ClientCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException, says: str
) -> None:
    """The commit went out and nobody knows whether it arrived: the file is the only copy."""

    def fails(*_args: Any, **_kwargs: Any) -> int:
        raise failure

    monkeypatch.setattr("bridge.cli.client_file.apply_plan", fails)
    path = tmp_path / "secrets.json"
    done = apply(command, WIKI, "--yes", "--secrets-file", str(path))
    assert done.exit_code == 1
    assert says in done.stderr
    assert f"{path} holds secrets that count if `clients list` shows" in done.stderr
    assert set(json.loads(path.read_text())) == {"wiki"}


def test_an_export_applies_to_where_it_comes_from_without_a_change(command: ClientCommand) -> None:
    command.adds('Wiki é😀 "\\', "--id", "wiki", *REDIRECT, "--allowed-attribute", "ui d=a'\"b", "--claim", "email")
    command.adds("Page", "--id", "page", "--public", *REDIRECT)
    command.adds("Off", "--id", "off", *REDIRECT)
    command.does("disable", "off")
    command.does("rotate-secret", "wiki", "--keep-old")
    before = documents(command)
    for words in ([], ["--hashes"]):
        exported = command.does("export", *words)
        assert applied(command, exported, "--prune")["changes"] == []
    assert documents(command) == before
    assert json.loads(command.does("export", "--json"))["clients"] == tomllib.loads(command.does("export"))["clients"]


def test_an_export_has_hashes_only_when_asked_and_never_those_of_the_settings(command: ClientCommand) -> None:
    secret = command.adds("Wiki", "--id", "wiki", *REDIRECT)["client_secret"]
    plain = command.runs("export")
    assert 'client_secret_hash = "generate"' in plain.stdout
    assert hash_secret(secret) not in plain.stdout
    asked = command.runs("export", "--hashes")
    assert hash_secret(secret) in asked.stdout
    assert "keep the file to yourself" in asked.stderr
    for result in (plain, asked):
        assert secret not in result.output
        assert "hub" not in result.stdout


def test_an_export_moves_clients_with_their_secrets_to_another_installation(
    command: ClientCommand, empty_database: Path, tmp_path: Path
) -> None:
    command.adds("Wiki", "--id", "wiki", *REDIRECT)
    moved = command.does("export", "--hashes")
    elsewhere = ClientCommand(Path(shutil.copy(empty_database, tmp_path / "elsewhere.sqlite3")))
    applied(elsewhere, moved)
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
def test_whatever_is_exported_is_the_toml_of_it(entry: dict[str, Any]) -> None:
    assert tomllib.loads(as_toml([entry]))["clients"] == [entry]
