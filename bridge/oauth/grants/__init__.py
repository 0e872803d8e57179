"""What can be exchanged for tokens, one file each; a new grant is a file here and a line below."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bridge.oauth.clients import Client
from bridge.oauth.grants import client_credentials, code, refresh
from bridge.oauth.parameters import Parameters
from bridge.oauth.provider_context import ProviderContext

Grant = Callable[[ProviderContext, Client, Parameters], dict[str, Any]]

GRANTS: Mapping[str, Grant] = {
    "authorization_code": code.respond,
    "refresh_token": refresh.respond,
    "client_credentials": client_credentials.respond,
}
