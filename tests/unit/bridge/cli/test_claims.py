"""`passerelle claims try`: what the rules make of a user, before anybody has to sign in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bridge.cli import main
from tests.support.cas import cas_xml

ALICE = {
    "user": "alice",
    "attributes": {"mail": "alice@example.org", "memberOf": ["staff"], "eppn": "alice@example.org"},
}
CLIENTS = [
    {"client_id": "wiki", "redirect_uris": ["https://wiki.example.org/cb"], "scopes": ["openid", "groups"]},
    {
        "client_id": "closed",
        "redirect_uris": ["https://closed.example.org/cb"],
        "allowed_groups": ["admins"],
        "claims": ["email"],
        "scopes": ["openid"],
        "subject_type": "pairwise",
    },
]


class Command:
    """The command in an environment of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            "PASSERELLE_ISSUER": "https://auth.example.org",
            "PASSERELLE_CAS_URL": "https://sso.example.org/cas",
            "PASSERELLE_SECRET_KEY": "a secret key of 32 characters...",
            "PASSERELLE_DATABASE_URL": f"sqlite:///{folder}/bridge.sqlite3",
            "PASSERELLE_CLIENTS": json.dumps(CLIENTS),
        }

    def runs(self, *words: str, given: Any = ALICE, **settings: str) -> Result:
        content = given if isinstance(given, bytes) else json.dumps(given).encode()
        overrides = {f"PASSERELLE_{name.upper()}": settings[name] for name in settings}
        arguments = ["claims", "try", "--attributes", "-", *words]
        return CliRunner().invoke(main, arguments, input=content, env={**self.environment, **overrides})

    def tells(self, *words: str, given: Any = ALICE, **settings: str) -> dict[str, Any]:
        result = self.runs(*words, given=given, **settings)
        assert result.exit_code == 0, result.output
        told = json.loads(result.stdout)
        assert isinstance(told, dict)
        return told

    def refuses(self, *words: str, given: Any = ALICE, **settings: str) -> str:
        """One sentence on standard error, status 1."""
        result = self.runs(*words, given=given, **settings)
        assert (result.exit_code, result.stdout) == (1, "")
        assert isinstance(result.exception, SystemExit)
        assert result.stderr.startswith("Error: ")
        return result.stderr


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.delenv("PASSERELLE_CONFIG", raising=False)
    return Command(tmp_path)


def test_it_shows_the_identity_and_what_an_application_is_told(command: Command) -> None:
    told = command.tells()
    assert told["identity"]["subject"] == "alice"
    assert told["userinfo"] == {
        "sub": "alice",
        "preferred_username": "alice",
        "email": "alice@example.org",
        "email_verified": True,
        "groups": ["staff"],
        "eduperson_principal_name": "alice@example.org",
    }
    assert told["id_token"] == {"sub": "alice"}


def test_a_client_is_told_what_its_scopes_give(command: Command) -> None:
    assert command.tells("--client", "wiki")["userinfo"] == {"sub": "alice", "groups": ["staff"]}
    assert command.tells("--client", "wiki", "--scope", "openid")["userinfo"] == {"sub": "alice"}


def test_it_says_whether_the_user_may_use_the_application(command: Command) -> None:
    told = command.tells("--client", "closed")
    assert told["may_sign_in"] is False
    assert told["id_token"]["email"] == "alice@example.org"
    assert told["id_token"]["sub"] == told["userinfo"]["sub"] != "alice"
    assert command.tells("--client", "closed", given={"user": "a", "attributes": {"memberOf": "admins"}})["may_sign_in"]


def test_a_managed_client_is_found_as_well(command: Command) -> None:
    words = ["clients", "add", "Managed", "--id", "managed", "--public", "--redirect-uri", "https://m.example.org/cb"]
    assert CliRunner().invoke(main, words, env=command.environment).exit_code == 0
    assert command.tells("--client", "managed")["client"] == "managed"


def test_no_database_is_touched_without_need(command: Command) -> None:
    command.tells("--client", "wiki")
    assert list(command.folder.iterdir()) == []


def test_the_user_may_be_named_beside_the_file(command: Command) -> None:
    assert command.tells("--user", "bob", given={"attributes": {}})["identity"]["username"] == "bob"
    assert command.tells("--user", "bob")["identity"]["username"] == "bob"


def test_it_reads_what_cas_answers(command: Command) -> None:
    told = command.tells("--xml", given=cas_xml.APEREO)
    assert told["userinfo"]["groups"] == ["cn=math,ou=groups", "cn=jupyter-admins,ou=groups"]
    assert told["identity"]["auth_time"] == 1795421090


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        ([], "have to be an object"),
        ({}, "There is no user"),
        ({"user": ["alice"]}, "There is no user"),
        ({"user": " "}, "There is no user"),
        ({"user": "a", "attributes": []}, "have to be an object"),
        ({"user": "a", "attributes": {"mail": 1}}, "'mail' has to be a string or a list of strings"),
        ({"user": "a", "attributes": {"mail": ["a", None]}}, "'mail' has to be a string or a list of strings"),
    ],
)
def test_a_file_that_is_something_else_is_refused(command: Command, given: Any, says: str) -> None:
    assert says in command.refuses(given=given)


@pytest.mark.parametrize("given", [b"", b"<html>", cas_xml.failure("INVALID_TICKET"), *cas_xml.DOCTYPES.values()])
def test_an_answer_of_cas_that_signs_nobody_in_is_refused(command: Command, given: bytes) -> None:
    command.refuses("--xml", given=given)


@pytest.mark.parametrize(
    ("words", "settings", "says"),
    [
        (["--client", "nobody"], {}, "There is no client 'nobody'"),
        (["--client", "wiki", "--scope", "openid email"], {}, "would not get the scope email"),
        ([], {"subject_attribute": "uid"}, "0 values of uid instead of one"),
        ([], {"issuer": ""}, "PASSERELLE_ISSUER"),
        ([], {"groups_from_dn": "cn"}, "needs groups_base"),
        (["--client", "other"], {"database_url": "sqlite:////nowhere/at/all.sqlite3"}, "PASSERELLE_DATABASE_URL"),
    ],
)
def test_what_cannot_be_shown_is_said(command: Command, words: list[str], settings: dict[str, str], says: str) -> None:
    assert says in command.refuses(*words, **settings)


def test_the_file_has_to_be_there(command: Command) -> None:
    result = CliRunner().invoke(main, ["claims", "try", "--attributes", "/no/such"], env=command.environment)
    assert (result.exit_code, "No such file" in result.stderr) == (2, True)


def test_awkward_values_come_out_as_json(command: Command) -> None:
    odd = {"user": "zoë.o'neil", "attributes": {"displayName": ["<&>\"'\u2028\ud800"], "__proto__": "x" * 50_000}}
    assert command.tells(given=odd)["userinfo"]["name"] == "<&>\"'\u2028\ud800"
