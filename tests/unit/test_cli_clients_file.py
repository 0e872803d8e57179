"""`passerelle clients apply` and `export`: a file says what is registered, and a plan says what that changes."""

from __future__ import annotations

import json
import shutil
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.cli.client_file import as_toml
from bridge.oauth.clients import hash_secret
from bridge.store import AccessToken, Grant, Minted, SqlStore, StoredClient, StoreFailure, fingerprint
from tests.support.client_command import REDIRECT, ClientCommand

WIKI = """
[[clients]]
client_id = "wiki"
client_name = "The Wiki"
client_secret_hash = "generate"
redirect_uris = ["https://wiki.example.org/cb"]
"""
PAGE = """
[[clients]]
client_id = "page"
redirect_uris = ["https://page.example.org/cb"]
allowed_attributes = { uid = ["a", "b"] }
"""


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    database = tmp_path_factory.mktemp("clients") / "bridge.sqlite3"
    SqlStore(f"sqlite:///{database}").close()
    return database


@pytest.fixture
def command(tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> ClientCommand:
    monkeypatch.delenv("PASSERELLE_CONFIG", raising=False)
    return ClientCommand(Path(shutil.copy(empty_database, tmp_path / "bridge.sqlite3")))


def write(command: ClientCommand, text: str) -> str:
    file = command.database.with_name("clients.toml")
    file.write_text(text, encoding="utf-8")
    return str(file)


def apply(command: ClientCommand, text: str, *words: str, typed: str = "") -> Result:
    return command.runs("apply", write(command, text), *words, typed=typed)


def applied(command: ClientCommand, text: str, *words: str) -> dict[str, Any]:
    result = apply(command, text, "--yes", "--json", *words)
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def documents(command: ClientCommand) -> dict[str, dict[str, Any]]:
    store = command.store()
    found = {client.client_id: json.loads(client.document) for client in store.clients.all()}
    store.close()
    return found


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

    monkeypatch.setattr("bridge.cli.client_file.follow", fails)
    path = tmp_path / "secrets.json"
    done = apply(command, WIKI, "--yes", "--secrets-file", str(path))
    assert done.exit_code == 1
    assert says in done.stderr
    assert f"{path} holds secrets that count if `clients list` shows" in done.stderr
    assert set(json.loads(path.read_text())) == {"wiki"}


def test_what_another_version_wrote_is_not_guessed_at(command: ClientCommand) -> None:
    store = command.store()
    store.clients.put(StoredClient(client_id="wiki", document='{"x": 1}', disabled=False), now=1)
    store.close()
    assert "cannot be read: another version wrote it" in command.refuses("apply", write(command, WIKI), "--yes")
    exported = command.runs("export")
    assert exported.exit_code == 0
    assert "Left out: wiki cannot be read" in exported.stderr
    assert tomllib.loads(exported.stdout) == {}


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
