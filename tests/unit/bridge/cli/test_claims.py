"""`passerelle claims try`: claims of a user without a login."""

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
    """The command with its own settings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            "PASSERELLE_ISSUER": "https://auth.example.org",
            "PASSERELLE_CAS_URL": "https://sso.example.org/cas",
            "PASSERELLE_SECRET_KEY": "a secret key of 32 characters...",
            "PASSERELLE_DATABASE_URL": f"sqlite:///{folder}/bridge.sqlite3",
            "PASSERELLE_CLIENTS": json.dumps(CLIENTS),
        }

    def run(self, *words: str, given: Any = ALICE, **settings: str) -> Result:
        content = given if isinstance(given, bytes) else json.dumps(given).encode()
        overrides = {f"PASSERELLE_{name.upper()}": settings[name] for name in settings}
        arguments = ["claims", "try", "--attributes", "-", *words]
        return CliRunner().invoke(main, arguments, input=content, env={**self.environment, **overrides})

    def output(self, *words: str, given: Any = ALICE, **settings: str) -> dict[str, Any]:
        result = self.run(*words, given=given, **settings)
        assert result.exit_code == 0, result.output
        output = json.loads(result.stdout)
        assert isinstance(output, dict)
        return output

    def error(self, *words: str, given: Any = ALICE, **settings: str) -> str:
        """Return the error message; the status is 1."""
        result = self.run(*words, given=given, **settings)
        assert (result.exit_code, result.stdout) == (1, "")
        assert isinstance(result.exception, SystemExit)
        assert result.stderr.startswith("Error: ")
        return result.stderr


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.delenv("PASSERELLE_CONFIG", raising=False)
    return Command(tmp_path)


def test_output_has_identity_and_claims(command: Command) -> None:
    output = command.output()
    assert output["identity"]["subject"] == "alice"
    assert output["userinfo"] == {
        "sub": "alice",
        "preferred_username": "alice",
        "email": "alice@example.org",
        "email_verified": True,
        "groups": ["staff"],
        "eduperson_principal_name": "alice@example.org",
    }
    assert output["id_token"] == {"sub": "alice"}


def test_client_receives_claims_of_its_scopes(command: Command) -> None:
    assert command.output("--client", "wiki")["userinfo"] == {"sub": "alice", "groups": ["staff"]}
    assert command.output("--client", "wiki", "--scope", "openid")["userinfo"] == {"sub": "alice"}


def test_output_has_access_decision(command: Command) -> None:
    output = command.output("--client", "closed")
    assert output["may_sign_in"] is False
    assert output["id_token"]["email"] == "alice@example.org"
    assert output["id_token"]["sub"] == output["userinfo"]["sub"] != "alice"
    assert command.output("--client", "closed", given={"user": "a", "attributes": {"memberOf": "admins"}})[
        "may_sign_in"
    ]


def test_stored_client_is_found(command: Command) -> None:
    words = ["clients", "add", "Managed", "--id", "managed", "--public", "--redirect-uri", "https://m.example.org/cb"]
    assert CliRunner().invoke(main, words, env=command.environment).exit_code == 0
    assert command.output("--client", "managed")["client"] == "managed"


def test_database_is_not_opened_without_need(command: Command) -> None:
    command.output("--client", "wiki")
    assert list(command.folder.iterdir()) == []


def test_user_option_overrides_file(command: Command) -> None:
    assert command.output("--user", "bob", given={"attributes": {}})["identity"]["username"] == "bob"
    assert command.output("--user", "bob")["identity"]["username"] == "bob"


def test_xml_response_is_read(command: Command) -> None:
    output = command.output("--xml", given=cas_xml.APEREO)
    assert output["userinfo"]["groups"] == ["cn=math,ou=groups", "cn=jupyter-admins,ou=groups"]
    assert output["identity"]["auth_time"] == 1795421090


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (b"", "not valid JSON"),
        (b"\xff", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        ([], "expected an object"),
        ({}, "The user is missing"),
        ({"user": ["alice"]}, "The user is missing"),
        ({"user": " "}, "The user is missing"),
        ({"user": "a", "attributes": []}, "expected an object"),
        ({"user": "a", "attributes": {"mail": 1}}, "'mail' must be a string or a list of strings"),
        ({"user": "a", "attributes": {"mail": ["a", None]}}, "'mail' must be a string or a list of strings"),
    ],
)
def test_invalid_file_is_rejected(command: Command, given: Any, message: str) -> None:
    assert message in command.error(given=given)


@pytest.mark.parametrize("given", [b"", b"<html>", cas_xml.failure("INVALID_TICKET"), *cas_xml.DOCTYPES.values()])
def test_denied_xml_response_is_rejected(command: Command, given: bytes) -> None:
    command.error("--xml", given=given)


@pytest.mark.parametrize(
    ("words", "settings", "message"),
    [
        (["--client", "unknown"], {}, "There is no client 'unknown'"),
        (["--client", "wiki", "--scope", "openid email"], {}, "is not registered for the scope email"),
        ([], {"subject_attribute": "uid"}, "0 values of uid, expected one"),
        ([], {"issuer": ""}, "PASSERELLE_ISSUER"),
        ([], {"groups_from_dn": "cn"}, "requires groups_base"),
        (["--client", "other"], {"database_url": "sqlite:////nowhere/at/all.sqlite3"}, "PASSERELLE_DATABASE_URL"),
    ],
)
def test_impossible_claims_request_is_reported(
    command: Command, words: list[str], settings: dict[str, str], message: str
) -> None:
    assert message in command.error(*words, **settings)


def test_file_must_exist(command: Command) -> None:
    result = CliRunner().invoke(main, ["claims", "try", "--attributes", "/no/such"], env=command.environment)
    assert (result.exit_code, "No such file" in result.stderr) == (2, True)


def test_special_values_are_printed_as_json(command: Command) -> None:
    odd = {"user": "zoë.o'neil", "attributes": {"displayName": ["<&>\"'\u2028\ud800"], "__proto__": "x" * 50_000}}
    assert command.output(given=odd)["userinfo"]["name"] == "<&>\"'\u2028\ud800"
