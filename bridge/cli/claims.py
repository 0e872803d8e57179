"""`passerelle claims`."""

import json
import os
from dataclasses import replace
from typing import Any, BinaryIO

import click

from bridge.cas.attributes import build_identity
from bridge.cas.protocol import ValidatedTicket
from bridge.cas.response import parse_validation
from bridge.cli.output import print_json
from bridge.cli.store import now, open_clients
from bridge.errors import BridgeError
from bridge.identity import Identity
from bridge.oauth.claims import CLAIMS_OF_SCOPE, ClaimsPolicy
from bridge.oauth.clients import Client
from bridge.oauth.keys import derived_key
from bridge.settings import ClientSettings, Settings, default_config_files, load
from bridge.settings.client import SCOPES

SHAPE = 'an object like {"user": "alice", "attributes": {"mail": "alice@example.org", "memberOf": ["a", "b"]}}'


@click.group()
def claims() -> None:
    """Test which claims clients receive."""


@claims.command("try")
@click.option(
    "--attributes",
    "source",
    type=click.File("rb"),
    required=True,
    help="File with the attributes of CAS; - for standard input.",
)
@click.option("--xml", is_flag=True, help="The file is a serviceValidate response.")
@click.option("--user", help="Overrides the user in the file.")
@click.option("--client", "client_id", help="Client that requests the claims; by default one with all scopes.")
@click.option("--scope", help="Requested scopes; by default all scopes of the client.")
def try_rules(source: BinaryIO, xml: bool, user: str | None, client_id: str | None, scope: str | None) -> None:
    """Print the identity, the userinfo claims and the ID token claims for a set of attributes, as JSON.

    \b
    Format of the file:
        {"user": "alice", "attributes": {"mail": "alice@example.org", "memberOf": ["a", "b"]}}

    \b
    Examples:
        passerelle claims try --attributes alice.json
        passerelle claims try --attributes alice.json --client wiki --scope "openid groups"
        curl … /p3/serviceValidate?… | passerelle claims try --xml --attributes -
    """
    settings = load(os.environ, default_config_files())
    client = _client(settings, client_id)
    try:
        validated = _validated(source, xml, user)
        identity = build_identity(validated.user, validated.attributes, settings)
    except BridgeError as error:  # the detail is private, but the administrator needs it here
        raise click.ClickException(f"Login would be denied: {error.detail or error.description}") from None
    print_json(_claims(settings, identity, client, scope))


def _claims(settings: Settings, identity: Identity, client: Client, scope: str | None) -> dict[str, Any]:
    scopes = client.scopes if scope is None else scope.split()
    if unknown := [name for name in scopes if name not in client.scopes]:
        raise click.ClickException(
            f"{client.client_name} is not registered for the scope {' '.join(unknown)}; its scopes are "
            f"{' '.join(client.scopes)}."
        )
    policy = ClaimsPolicy(
        email_verified=settings.email_verified,
        pairwise_key=derived_key(settings.secret_key.get_secret_value(), "pairwise subjects"),
    )
    id_token = policy.id_token_claims(identity, client, {})
    return {
        "identity": json.loads(identity.to_json()),
        "client": client.client_id,
        "scope": " ".join(scopes),
        "may_sign_in": client.allows_user(identity),
        "userinfo": policy.userinfo_claims(identity, " ".join(scopes), client, {}),
        "id_token": {name: value for name, value in id_token.items() if value is not None},
    }


def _client(settings: Settings, client_id: str | None) -> Client:
    if client_id is None:
        any_client = ClientSettings(client_id="(any)", redirect_uris=("https://client.invalid/",), scopes=SCOPES)
        return Client.from_settings(any_client).model_copy(update={"scopes": ("openid", *CLAIMS_OF_SCOPE)})
    if fixed := next((client for client in settings.clients if client.client_id == client_id), None):
        return Client.from_settings(fixed)
    with open_clients() as (_, clients):
        return Client.from_settings(clients.find(client_id).readable_settings())


def _validated(source: BinaryIO, xml: bool, user: str | None) -> ValidatedTicket:
    try:
        content = source.read()
    except OSError as error:
        raise click.ClickException(f"Cannot read the attributes: {error.strerror}.") from None
    validated = parse_validation(content, service="", now=now()) if xml else _from_json(content, user)
    return validated if user is None else replace(validated, user=user)


def _from_json(content: bytes, user: str | None) -> ValidatedTicket:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise click.ClickException(f"The attributes are not valid JSON; expected {SHAPE}.") from None
    given = document.get("attributes", {}) if isinstance(document, dict) else None
    if not isinstance(given, dict):
        raise click.ClickException(f"Invalid attributes; expected {SHAPE}.")
    named = document.get("user") if user is None else user
    if not isinstance(named, str) or not named.strip():
        raise click.ClickException(f"The user is missing: pass --user, or {SHAPE}.")
    attributes = {name: value if isinstance(value, list) else [value] for name, value in given.items()}
    for name, values in attributes.items():
        if not all(isinstance(one, str) for one in values):
            raise click.ClickException(f"The attribute {name!r} must be a string or a list of strings.")
    return ValidatedTicket(named, {name: tuple(values) for name, values in attributes.items()})
