"""The provider as its endpoints see it: one object that holds clients, keys and store."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from authlib.oidc.core.util import create_half_hash

from bridge.errors import AuthorizationRefused, InsufficientScope, InvalidGrant, InvalidToken, UnsupportedGrantType
from bridge.oauth.authorization import (
    AuthorizationRequest,
    answer_location,
    check_authorization_request,
    check_client,
    check_redirect_uri,
    refusal,
)
from bridge.oauth.bearer import bearer_token
from bridge.oauth.claims import claims_of
from bridge.oauth.client_authentication import authenticate_client
from bridge.oauth.clients import Client
from bridge.oauth.code_grant import check_code
from bridge.oauth.keys import ALGORITHM, KeyRing
from bridge.oauth.metadata import provider_metadata
from bridge.oauth.parameters import Parameters, check_not_repeated, required, single_values
from bridge.store import AccessToken, AuthorizationCode, Session, Store, fingerprint

CODE_LIFETIME_SECONDS = 60
TOKEN_PARAMETERS = ("grant_type", "code", "redirect_uri", "client_id", "client_secret", "code_verifier", "scope")

Pairs = Iterable[tuple[str, str]]


def new_secret() -> str:
    """256 random bits, safe in URLs: codes and access tokens."""
    return secrets.token_urlsafe(32)


class Provider:
    """Authorization server and userinfo endpoint, without HTTP.

    :param clock: Unix seconds
    :param new_secret: a fresh unguessable string at every call
    """

    def __init__(
        self,
        *,
        issuer: str,
        clients: Mapping[str, Client],
        store: Store,
        keys: KeyRing,
        access_token_lifetime: int,
        email_verified: bool,
        clock: Callable[[], float],
        new_secret: Callable[[], str] = new_secret,
    ) -> None:
        self._issuer = issuer
        self._clients = clients
        self._store = store
        self._keys = keys
        self._access_token_lifetime = access_token_lifetime
        self._email_verified = email_verified
        self._clock = clock
        self._new_secret = new_secret

    def check_request(self, pairs: Pairs) -> AuthorizationRequest:
        """The request of a browser at the authorization endpoint; see `check_authorization_request`."""
        parameters, repeated = single_values(pairs)
        return check_authorization_request(parameters, repeated, self._clients, issuer=self._issuer)

    def check_still_registered(self, request: AuthorizationRequest) -> None:
        """A request that waited for CAS may have outlived its client's registration.

        :raises UnknownClient: then
        """
        parameters = Parameters(request.to_parameters())
        check_redirect_uri(parameters, check_client(parameters, self._clients))

    def sufficient_session(self, request: AuthorizationRequest, session: Session | None) -> Session | None:
        """The session, if it answers the request without a visit to CAS (OIDC Core §3.1.2.1).

        :raises AuthorizationRefused: `login_required` when it does not, and nobody may be asked anything
        """
        if session is not None and request.max_age is not None and self._clock() - session.auth_time > request.max_age:
            session = None
        if session is None and "none" in request.prompt:
            raise self.refuse(request, "login_required", "Nobody is signed in here, and prompt=none forbids asking.")
        return session if {"login", "select_account"}.isdisjoint(request.prompt) else None

    def wants_new_login(self, request: AuthorizationRequest) -> bool:
        """Whether CAS, once it is asked, has to ask for the password: its own session may be too old as well."""
        return request.max_age is not None or not {"login", "select_account"}.isdisjoint(request.prompt)

    def refuse(self, request: AuthorizationRequest, code: str, description: str) -> AuthorizationRefused:
        """A refusal that the client is told through the browser."""
        return refusal(code, description, request.redirect_uri, request.state, issuer=self._issuer)

    def issue_code(self, request: AuthorizationRequest, session: Session) -> str:
        """Where the browser goes now, with a fresh code in the address."""
        code, now = self._new_secret(), int(self._clock())
        self._store.save_code(
            AuthorizationCode(
                code_hash=fingerprint(code),
                client_id=request.client_id,
                session_hash=session.session_hash,
                request=request.to_json(),
                issued_at=now,
                expires_at=now + CODE_LIFETIME_SECONDS,
            )
        )
        return answer_location(request.redirect_uri, {"code": code}, request.state, self._issuer)

    def token_response(self, body: Pairs, authorization_header: str | None) -> tuple[str, dict[str, Any]]:
        """The client_id and the answer, RFC 6749 §5.1.

        :raises OAuthError: §5.2, by the subclass that has the code
        """
        parameters, repeated = single_values(body)
        check_not_repeated(repeated, TOKEN_PARAMETERS)
        client = authenticate_client(parameters, authorization_header, self._clients)
        if required(parameters, "grant_type") != "authorization_code":
            raise UnsupportedGrantType("Only grant_type=authorization_code is supported.")
        try:
            return client.client_id, self._redeem(client, parameters)
        except InvalidGrant as error:
            error.detail = f"client {client.client_id}: {error.detail}"
            raise

    def _redeem(self, client: Client, parameters: Parameters) -> dict[str, Any]:
        access_token, now = self._new_secret(), int(self._clock())
        minted: list[tuple[AuthorizationRequest, Session]] = []

        def mint(code: AuthorizationCode, session: Session) -> AccessToken:
            request = check_code(code, client, parameters)
            minted.append((request, session))
            return AccessToken(
                token_hash=fingerprint(access_token),
                client_id=client.client_id,
                session_hash=session.session_hash,
                code_hash=code.code_hash,
                scope=request.scope,
                issued_at=now,
                expires_at=now + self._access_token_lifetime,
            )

        if self._store.redeem_code(fingerprint(required(parameters, "code")), now=now, mint=mint) is None:
            raise InvalidGrant(detail="unknown, spent or expired code")
        request, session = minted[0]
        response: dict[str, Any] = {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": self._access_token_lifetime,
            "scope": request.scope,
        }
        if "openid" in request.scope.split():
            response["id_token"] = self._id_token(request, session, access_token, now)
        return response

    def _id_token(self, request: AuthorizationRequest, session: Session, access_token: str, now: int) -> str:
        """OIDC Core §2, §3.1.3.6."""
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "sub": session.identity.subject,
            "aud": request.client_id,
            "iat": now,
            "exp": now + self._access_token_lifetime,
            "auth_time": session.auth_time,
            "at_hash": create_half_hash(access_token, ALGORITHM).decode(),
        }
        if request.nonce is not None:
            claims["nonce"] = request.nonce
        return self._keys.sign(claims)

    def userinfo(self, authorization_header: str | None, body: Pairs) -> dict[str, Any]:
        """OIDC Core §5.3.

        :raises OAuthError: RFC 6750 §3.1
        """
        token_hash = fingerprint(bearer_token(authorization_header, body))
        found = self._store.find_access_token(token_hash, now=int(self._clock()))
        if found is None:
            raise InvalidToken
        token, session = found
        if "openid" not in token.scope.split():
            raise InsufficientScope("The access token was given without the scope openid.")
        return claims_of(session.identity, token.scope, email_verified=self._email_verified)

    def metadata(self) -> dict[str, Any]:
        """The discovery document."""
        return provider_metadata(self._issuer)

    def jwks(self) -> dict[str, Any]:
        """The public keys."""
        return self._keys.jwks()
