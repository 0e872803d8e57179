"""Client authentication: client_secret_basic, client_secret_post or none (RFC 6749 §2.3)."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote_plus

from bridge.errors.oauth import InvalidClient, InvalidRequest
from bridge.oauth.clients import Client, ClientRegistry, hash_secret
from bridge.oauth.parameters import Parameters


def authenticate_client(parameters: Parameters, authorization_header: str | None, clients: ClientRegistry) -> Client:
    """Return the authenticated client.

    Raises:
        InvalidClient: The client is unknown or its secret is wrong; both have the same description.
        InvalidRequest: The client used two methods at once.
    """
    client_id, secret = parameters.get("client_id"), parameters.get("client_secret")
    if authorization_header is not None:
        if secret is not None:
            raise InvalidRequest("Send the client secret in the Authorization header or in the body, not in both.")
        header_id, header_secret = basic_credentials(authorization_header)
        secret = header_secret or None  # some libraries send a public client's absent secret as an empty one
        if client_id not in (None, header_id):
            raise InvalidRequest("client_id in the body differs from the one in the Authorization header.")
        client_id = header_id
    client = clients.get(client_id or "")
    if client is None:
        hash_secret(secret or "")  # equal response time for unknown clients
        raise InvalidClient(detail=clients.absence_reason(client_id or ""))
    client.check_secret(secret)
    return client


def basic_credentials(header: str) -> tuple[str, str]:
    """Return client_id and secret, unverified. Both are form-encoded before they are joined (RFC 6749 §2.3.1).

    Raises:
        InvalidClient: The header holds no Basic credentials.
    """
    scheme, _, encoded = header.partition(" ")
    try:
        if scheme.lower() != "basic":
            raise ValueError("another scheme")
        client_id, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
        if not colon:
            raise ValueError("no colon")
    except (ValueError, binascii.Error) as error:
        raise InvalidClient(detail=f"unreadable Authorization header: {type(error).__name__}") from None
    return unquote_plus(client_id), unquote_plus(secret)
