"""Sources of settings, and one list of faults without secrets."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from bridge.errors import ConfigurationError
from bridge.settings import Settings, describe_read_error, load

LEAST = {
    "PASSERELLE_ISSUER": "https://auth.example.org",
    "PASSERELLE_CAS_URL": "https://sso.example.org/cas",
    "PASSERELLE_SECRET_KEY": "a secret key of 32 characters...",
}
HUB = {"client_id": "hub", "client_secret": "hub-s3cret", "redirect_uris": ["https://hub.example.org/cb"]}


def loaded(environ: Mapping[str, str] | None = None, **settings: str) -> Settings:
    return load({**LEAST, **(environ or {}), **{f"PASSERELLE_{name.upper()}": settings[name] for name in settings}})


def faults(environ: Mapping[str, str] | None = None, **settings: str) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as raised:
        loaded(environ, **settings)
    assert all(f"\n  - {fault}" in raised.value.description for fault in raised.value.faults)
    return raised.value.faults


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return tmp_path / "passerelle.toml"


def test_three_settings_are_enough() -> None:
    settings = loaded()
    assert settings.issuer == "https://auth.example.org"
    assert settings.bind == "127.0.0.1:8000"
    assert settings.database_url.get_secret_value() == "sqlite:///passerelle.sqlite3"
    assert settings.clients == ()
    assert settings.email_verified is True


def test_missing_settings_are_listed() -> None:
    with pytest.raises(ConfigurationError) as raised:
        load({})
    assert raised.value.faults == tuple(
        f"PASSERELLE_{name}: is required" for name in ("ISSUER", "CAS_URL", "SECRET_KEY")
    )


def test_empty_variable_counts_as_absent() -> None:
    settings = loaded(cas_internal_url="", clients="", config="", secret_key_file="", workers="", ca="")
    assert settings.cas_internal_url is None
    assert settings.workers == 2
    assert faults(issuer="") == ("PASSERELLE_ISSUER: is required",)


def test_unrelated_variables_are_ignored() -> None:
    assert loaded({"PASSERELLE_REQUIRE_DOCKER": "1", "PASSERELL_ISSUER": "x", "HOME": "/root", "passerelle_x": "y"})


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ISUER", "; did you mean PASSERELLE_ISSUER?"),
        ("CASURL", "; did you mean PASSERELLE_CAS_URL?"),
        ("CLIENT", "; did you mean PASSERELLE_CLIENTS?"),
        ("ZZZ", ""),
        ("ISSUER_FILE", "; did you mean PASSERELLE_ISSUER?"),
    ],
)
def test_unknown_setting_is_reported_with_a_hint(name: str, hint: str) -> None:
    assert faults({f"PASSERELLE_{name}": "s3cret"}) == (f"PASSERELLE_{name}: unknown setting{hint}",)


def test_toml_uses_lower_case_names(toml: Path) -> None:
    toml.write_text(
        'issuer = "https://from.toml"\nworkers = 5\nemail_verified = false\n'
        '[attributes]\ngroups = ["isMemberOf"]\n'
        '[[clients]]\nclient_id = "hub"\nredirect_uris = ["https://hub.example.org/cb"]\n'
    )
    settings = load({"PASSERELLE_CONFIG": str(toml), **{name: LEAST[name] for name in list(LEAST)[1:]}})
    assert (settings.issuer, settings.workers, settings.email_verified) == ("https://from.toml", 5, False)
    assert settings.attributes["groups"] == ("isMemberOf",)
    assert settings.attributes["email"] == ("mail", "email")
    assert [client.client_id for client in settings.clients] == ["hub"]


def test_environment_overrides_file(toml: Path) -> None:
    toml.write_text('issuer = "https://from.toml"\nworkers = 5\n')
    settings = loaded(config=str(toml), workers="3")
    assert (settings.issuer, settings.workers) == ("https://auth.example.org", 3)


def test_clients_of_the_environment_join_those_of_the_file_and_replace_namesakes(toml: Path) -> None:
    entry = '[[clients]]\nclient_id = "{}"\nredirect_uris = ["https://toml.example.org/cb"]\n'
    toml.write_text(entry.format("wiki") + entry.format("hub"))
    settings = loaded(config=str(toml), clients=json.dumps([HUB]))
    assert {client.client_id: client.redirect_uris[0] for client in settings.clients} == {
        "wiki": "https://toml.example.org/cb",
        "hub": "https://hub.example.org/cb",
    }


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot read {}: No such file or directory"),
        (b"issuer = ", "{} is not valid TOML: "),
        (b"\xff\xfe", "cannot read {}: it is not UTF-8 text"),
    ],
)
def test_invalid_toml_is_reported(toml: Path, content: bytes | None, says: str) -> None:
    if content is not None:
        toml.write_bytes(content)
    (fault,) = faults(config=str(toml))
    assert fault.startswith(f"PASSERELLE_CONFIG: {says.format(toml)}")


def test_folder_as_file_is_reported(tmp_path: Path) -> None:
    (fault,) = faults(config=str(tmp_path))
    assert fault.startswith(f"PASSERELLE_CONFIG: cannot read {tmp_path}: Is a directory; Docker creates a directory")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (PermissionError(13, "Permission denied"), f"Permission denied; uid {os.geteuid()}, which "),
        (FileNotFoundError(2, "No such file", "/run/secrets/x"), "No such file; in the bundle, `docker compose run"),
        (FileNotFoundError(2, "No such file", "/etc/x"), "No such file"),
        (OSError(5, "Input/output error"), "Input/output error"),
        (OSError(), "OSError"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), "it is not UTF-8 text"),
    ],
)
def test_unreadable_file_is_reported_with_remedy(error: OSError | UnicodeError, says: str) -> None:
    assert describe_read_error(error).startswith(says)


def test_unknown_names_in_toml_are_reported_at_any_depth(toml: Path) -> None:
    toml.write_text(
        'isuer = "x"\n[[clients]]\nclient_id = "hub"\nredirect_uris = ["https://h.example.org/"]\n'
        'client_sekret = "s3cret"\n'
    )
    said = faults(config=str(toml))
    assert any("isuer" in fault.lower() and "did you mean PASSERELLE_ISSUER?" in fault for fault in said)
    assert any("client_sekret" in fault for fault in said)
    assert "s3cret" not in "".join(said)


def test_secrets_are_in_no_fault_or_representation() -> None:
    entries = [
        {**HUB, "client_secret": "s3cret-of-hub", "client_secret_hash": "0" * 64},
        {**HUB, "client_id": "two words", "client_secret": "s3cret-of-two"},
        {**HUB, "client_id": "x", "client_secret": ["s3cret-in-list"]},
        {**HUB, "client_id": "y", "client_sekret": "s3cret-misspelt"},
        {**HUB, "client_id": "z", "client_secret_hash": "s3cret-as-hash", "client_secret": None},
        {**HUB, "client_id": "u", "redirect_uris": ["https://user:s3cret-in-uri@hub.example.org/cb"]},
    ]
    said = faults(
        clients=json.dumps(entries),
        secret_key="s3cret-key",
        database_url="postgresql://me:s3cret-db@db/x",
        cas_url="https://user:s3cret-cas@sso.example.org/cas",
        secret="s3cret-misnamed",
    )
    assert len(said) >= 8
    assert "s3cret" not in "".join(said)
    settings = loaded(clients=json.dumps([HUB]))
    assert "s3cret" not in repr(settings) + str(settings)
    assert LEAST["PASSERELLE_SECRET_KEY"] not in repr(settings) + str(settings)


@pytest.mark.parametrize("text", ["{", "hub", "[1", "'[]'"])
def test_clients_that_are_not_json_are_a_fault(text: str) -> None:
    assert faults(clients=text) == ("PASSERELLE_CLIENTS: is not valid JSON",)


@pytest.mark.parametrize("text", ['{"client_id": "hub"}', '"hub"', "[1]", "[[]]", "[null]", "7"])
def test_clients_of_another_shape_are_a_fault(text: str, toml: Path) -> None:
    toml.write_text('[[clients]]\nclient_id = "wiki"\nredirect_uris = ["https://w.example.org/"]\n')
    for environ in ({}, {"PASSERELLE_CONFIG": str(toml)}):
        assert all(fault.startswith("PASSERELLE_CLIENTS") for fault in faults(environ, clients=text))
