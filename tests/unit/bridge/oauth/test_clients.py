"""Clients: secrets, redirect URIs and authentication at the token endpoint."""

from __future__ import annotations

import base64
from typing import cast

import pytest
from pydantic import ValidationError

from bridge.errors.oauth import InvalidClient, InvalidRequest
from bridge.oauth.clients import Client, ClientRegistry, hash_secret
from bridge.oauth.endpoints import authenticate_client
from bridge.oauth.parameters import Parameters
from bridge.settings import ClientSettings

SECRET = "s3cret: +%é☃"


def client(client_id: str = "hub", **changes: object) -> Client:
    defaults = {"client_id": client_id, "client_secret": SECRET, "redirect_uris": ["https://hub.example.org/cb"]}
    given = {name: value for name, value in {**defaults, **changes}.items() if value is not None}
    return Client.from_settings(ClientSettings.model_validate(given))


HUB, PUBLIC = client(), client("cli", client_secret=None)


class FakeRegistry(dict[str, Client]):
    """The part of a registry that client authentication uses."""

    def absence_reason(self, client_id: str) -> str:
        return f"unknown {client_id}"


CLIENTS = cast(ClientRegistry, FakeRegistry(hub=HUB, cli=PUBLIC))


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


def test_client_does_not_keep_the_plain_secret() -> None:
    assert SECRET not in repr(client())


def test_secret_and_hash_give_equal_clients() -> None:
    hashed = client(client_secret=None, client_secret_hash=hash_secret(SECRET))
    prefixed = client(client_secret=None, client_secret_hash=f"sha256:{hash_secret(SECRET)}")
    assert hashed == prefixed == client()
    hashed.check_secret(SECRET)


def test_both_secrets_are_valid_during_rotation() -> None:
    both = client(former_secret_hash=hash_secret("the one before"))
    both.check_secret(SECRET)
    both.check_secret("the one before")
    with pytest.raises(InvalidClient):
        both.check_secret("the one before that")


def test_former_secret_needs_a_current_one() -> None:
    """The commands would show such a client as public, but the bridge would accept the replaced secret."""
    with pytest.raises(ValidationError, match="former_secret_hash requires a current secret"):
        client(client_secret=None, former_secret_hash=hash_secret("the one before"))


@pytest.mark.parametrize("wrong", [None, "", "s3cret", SECRET + " ", SECRET.upper(), "é" * 10_000, "\x00", "\ud800"])
def test_wrong_secret_is_rejected_row45(wrong: str | None) -> None:
    with pytest.raises(InvalidClient):
        client().check_secret(wrong)


@pytest.mark.parametrize("pasted", [SECRET + " ", "\t" + SECRET, SECRET + "\n", f" {SECRET} "])
def test_log_notes_whitespace_around_secret(pasted: str) -> None:
    with pytest.raises(InvalidClient) as refused:
        client().check_secret(pasted)
    assert refused.value.detail == "wrong secret for client hub: the right one, surrounded by whitespace"
    with pytest.raises(InvalidClient) as refused:
        client().check_secret("wrong ")
    assert refused.value.detail == "wrong secret for client hub"


def test_missing_secret_differs_from_empty_secret() -> None:
    """A client with the hash of an empty secret is confidential and must send it."""
    with pytest.raises(InvalidClient):
        client(client_secret=None, client_secret_hash=hash_secret("")).check_secret(None)


@pytest.mark.parametrize("secret", ["", "x", hash_secret(""), "None"])
def test_public_client_must_not_send_a_secret_row45(secret: str) -> None:
    PUBLIC.check_secret(None)
    with pytest.raises(InvalidClient):
        PUBLIC.check_secret(secret)


def test_client_name_defaults_to_client_id() -> None:
    assert client().client_name == "hub"
    assert client(client_name="JupyterHub").client_name == "JupyterHub"


@pytest.mark.parametrize(
    ("registered", "asked", "allowed"),
    [
        ("https://a.example/cb", "https://a.example/cb", True),
        ("https://a.example/cb", "https://a.example:443/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1/cb", True),
        ("http://127.0.0.1/cb", "http://127.0.0.1:8000/cb", True),
        ("http://127.0.0.1/cb", "http://127.0.0.1:0/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:65536/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:8000/cb/", False),
        ("http://127.0.0.1/cb", "http://localhost:8000/cb", False),
        ("http://127.0.0.1/c.", "http://127.0.0.1:8000/cx", False),
        ("http://127.0.0.1:8000/cb", "http://127.0.0.1:9000/cb", False),
        ("http://[::1]/cb", "http://[::1]:8000/cb", True),
        ("http://localhost/cb?a=b", "http://localhost:8000/cb?a=b", True),
        ("http://jupyter.localhost/cb", "http://jupyter.localhost:8000/cb", False),
        ("http://127.0.0.1", "http://127.0.0.1:8000", True),
        ("http://127.0.0.1", "http://127.0.0.1:8000@evil.example", False),
        ("http://127.0.0.1", "http://127.0.0.1:8000.evil.example", False),
    ],
)
def test_redirect_uri_match_is_exact_except_loopback_port_row2(registered: str, asked: str, allowed: bool) -> None:
    assert client(redirect_uris=[registered]).allows_redirect_to(asked) is allowed


@pytest.mark.parametrize(
    ("parameters", "header"),
    [
        ({"client_id": "hub", "client_secret": SECRET}, None),
        ({}, basic("hub:s3cret%3A+%2B%25%C3%A9%E2%98%83")),
        ({}, basic("%68ub:s3cret%3A%20%2B%25%C3%A9%E2%98%83")),
        ({"client_id": "hub"}, basic("hub:s3cret%3A+%2B%25%C3%A9%E2%98%83").replace("Basic", "bAsIc  ")),
    ],
)
def test_confidential_client_authenticates_either_way_row46(parameters: dict[str, str], header: str | None) -> None:
    assert authenticate_client(Parameters(parameters), header, CLIENTS).client_id == "hub"


def test_public_client_authenticates_by_client_id() -> None:
    assert authenticate_client(Parameters({"client_id": "cli"}), None, CLIENTS) == PUBLIC


@pytest.mark.parametrize(
    ("parameters", "header"),
    [
        ({}, None),
        ({"client_id": "unknown"}, None),
        ({"client_id": "hub"}, None),
        ({"client_id": "hub", "client_secret": "wrong"}, None),
        ({"client_id": "cli", "client_secret": SECRET}, None),
        ({}, basic("hub:wrong")),
        ({}, basic("hub:")),
        ({}, basic("hub")),
        ({}, basic("unknown:x")),
        ({}, basic(":")),
        ({"client_id": "cli"}, basic("cli:x")),
        ({"client_id": "cli"}, ""),
        ({"client_id": "cli"}, "Basic"),
        ({"client_id": "cli"}, "Basic \xe9"),
        ({"client_id": "cli"}, "Basic " + base64.b64encode(b"\xff:x").decode()),
        ({"client_id": "cli"}, "Bearer abc"),
    ],
)
def test_failed_authentication_has_one_message_row42(parameters: dict[str, str], header: str | None) -> None:
    with pytest.raises(InvalidClient) as raised:
        authenticate_client(Parameters(parameters), header, CLIENTS)
    assert raised.value.description == InvalidClient.default_description
    assert SECRET not in raised.value.detail


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param({"client_id": "hub", "client_secret": SECRET}, id="row43-secret-twice"),
        pytest.param({"client_id": "cli"}, id="row43-two-clients"),
    ],
)
def test_two_authentication_methods_are_rejected(parameters: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest):
        authenticate_client(Parameters(parameters), basic("hub:s3cret"), CLIENTS)
