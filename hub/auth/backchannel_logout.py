"""The back-channel logout endpoint: the provider reports the end of a session (OpenID Connect Back-Channel Logout 1.0).

It takes no cookie. The signature of the logout token is the only authority, so the endpoint may be public.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyterhub.handlers.base import BaseHandler
from tornado import web
from tornado.httpclient import AsyncHTTPClient, HTTPClientError

from hub.auth.logout_token import LogoutTokenError, key_id, select_keys, verify_logout_token
from hub.auth.sign_ins import find_by_token, remember_token
from hub.auth.sign_out import SignOut

PATH = "/backchannel_logout"
FORM = "application/x-www-form-urlencoded"
MAX_BODY_SIZE = 32 * 1024  # bytes
KEYS_MAX_AGE = 3600
"""Seconds after which the keys are fetched again, so that a withdrawn key is not used for longer."""
MIN_FETCH_INTERVAL = 4
"""Minimum seconds between two fetches: any client can send an unknown `kid`. The bridge retries after 5 seconds."""
FETCH_TIMEOUT = 3  # seconds, less than the bridge waits for a response
MAX_KEYS_SIZE = 256 * 1024  # bytes


class KeysUnavailableError(Exception):
    """The keys of the provider cannot be fetched, so no token can be verified."""


@dataclass(frozen=True)
class Provider:
    """The provider whose logout tokens are accepted."""

    issuer: str
    client_id: str
    jwks_url: str
    ca_file: Path | None = None


class ProviderKeys:
    """The provider's JWK Set, fetched when needed."""

    def __init__(self, fetch: Callable[[], Awaitable[Any]], clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = asyncio.Lock()
        self._document: Any = None
        self._fetched_at = self._tried_at = float("-inf")
        self._failure = ""

    async def select(self, kid: str | None) -> list[dict[str, Any]]:
        """Return the keys that may have signed a token.

        Raises:
            KeysUnavailableError: There are none yet, or they are too old, and the provider does not respond.
        """
        async with self._lock:
            is_needed = self._is_old() or not select_keys(self._document, kid)
            if is_needed and self._clock() - self._tried_at > MIN_FETCH_INTERVAL:
                self._tried_at = self._clock()
                try:
                    self._document, self._fetched_at = await self._fetch(), self._clock()
                except (OSError, ValueError, HTTPClientError) as error:
                    self._failure = f"{type(error).__name__}: {error}"
            if self._is_old():
                raise KeysUnavailableError(self._failure)
            return select_keys(self._document, kid)

    def _is_old(self) -> bool:
        return self._clock() - self._fetched_at > KEYS_MAX_AGE


async def fetch_keys(provider: Provider) -> Any:
    """Fetch the provider's JWK Set."""
    ca_certs = None if provider.ca_file is None else str(provider.ca_file)
    response = await AsyncHTTPClient().fetch(
        provider.jwks_url,
        connect_timeout=FETCH_TIMEOUT,
        request_timeout=FETCH_TIMEOUT,
        follow_redirects=False,
        ca_certs=ca_certs,
    )
    if len(response.body) > MAX_KEYS_SIZE:
        raise ValueError("the key document is too large")
    return json.loads(response.body)


class BackchannelLogoutHandler(BaseHandler):  # type: ignore[misc]  # JupyterHub carries no types
    """`POST /hub/backchannel_logout` (§2.5, §2.8)."""

    _accept_cookie_auth = False

    def initialize(self, provider: Provider, keys: ProviderKeys, sign_out: SignOut) -> None:
        """Store the arguments of the route."""
        self.provider, self.keys, self.sign_out = provider, keys, sign_out

    def check_xsrf_cookie(self) -> None:
        """Accept requests without a cookie; the token is the authority."""

    async def post(self) -> None:
        """End the sign-ins of the token, or report why it is rejected."""
        self.set_header("Cache-Control", "no-store")
        try:
            await self._end_sign_ins(self._read_token())
        except LogoutTokenError as error:
            self.log.warning("Rejected a logout token: %s", error)
            self._reject(400, str(error))
        except KeysUnavailableError as error:
            self.log.error("A logout token cannot be verified: %s: %s", self.provider.jwks_url, error)
            self._reject(503, "the keys of the provider cannot be fetched")

    def _read_token(self) -> str:
        content_type = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if content_type != FORM or len(self.request.body) > MAX_BODY_SIZE:
            raise LogoutTokenError(f"the request is not a form ({FORM}) of at most {MAX_BODY_SIZE} bytes")
        try:
            tokens = self.get_body_arguments("logout_token", strip=False)
        except web.HTTPError as error:  # not UTF-8
            raise LogoutTokenError("logout_token is not text") from error
        if len(tokens) != 1:
            raise LogoutTokenError("the request must have one logout_token")
        return str(tokens[0])

    async def _end_sign_ins(self, text: str) -> None:
        keys = await self.keys.select(key_id(text))
        now = time.time()
        token = verify_logout_token(text, keys, issuer=self.provider.issuer, client_id=self.provider.client_id, now=now)
        if not remember_token(self.db, token, now=now):
            raise LogoutTokenError("jti was received before")
        rows = find_by_token(self.db, token)
        self.log.info("Accepted a logout token for %d sign-ins", len(rows))
        self.sign_out.end(self, rows)

    def _reject(self, status: int, reason: str) -> None:
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps({"error": "invalid_request", "error_description": reason}))


def build_routes(provider: Provider | None, sign_out: SignOut) -> list[tuple[str, type[Any], dict[str, Any]]]:
    """Return the route, if the authentication method has a provider that can send logout tokens."""
    if provider is None:
        return []
    keys = ProviderKeys(lambda: fetch_keys(provider))
    return [(PATH, BackchannelLogoutHandler, {"provider": provider, "keys": keys, "sign_out": sign_out})]
