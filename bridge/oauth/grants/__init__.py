"""Grant types of the token endpoint, one module each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bridge.oauth.clients import Client
from bridge.oauth.grants import client_credentials, code, refresh
from bridge.oauth.parameters import Parameters
from bridge.oauth.provider_context import ProviderContext

GrantType = Callable[[ProviderContext, Client, Parameters], dict[str, Any]]

GRANTS: Mapping[str, GrantType] = {
    "authorization_code": code.respond,
    "refresh_token": refresh.respond,
    "client_credentials": client_credentials.respond,
}
