"""The authorization request: an ordered list of checks, RFC 6749 §4.1.1, RFC 7636 §4.3, OIDC Core §3.1.2.1.

Until the client and its redirect URI are proven, a fault is a page for the person in front of the browser; from
then on it goes back to the client. A request that passed is a value: it is kept while CAS has the user.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from bridge.errors import AuthorizationRejected, InvalidRequest, OAuthError, UnknownClient
from bridge.log import bind_log_context
from bridge.oauth.clients import Client, ClientRegistry
from bridge.oauth.parameters import Parameters, check_not_repeated, required
from bridge.settings.client import SCOPES
from passerelle_common.i18n import gettext_noop

KNOWN_PARAMETERS = (
    *(
        "client_id",
        "redirect_uri",
        "response_type",
        "response_mode",
        "scope",
        "state",
        "nonce",
        "prompt",
        "max_age",
    ),
    *("code_challenge", "code_challenge_method", "request", "request_uri", "registration"),
    *("id_token_hint", "login_hint", "ui_locales", "claims", "acr_values", "display"),
)
PROMPTS = frozenset({"none", "login", "consent", "select_account"})
S256_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")  # 32 bytes in base64url without padding, RFC 7636 §4.2
MAXIMAL_ECHO_LENGTH = 4096
MAXIMAL_REQUEST_LENGTH = 12_288  # what anybody can make us keep for ten minutes
KEPT_PARAMETERS = (*("state", "nonce", "scope", "claims", "login_hint", "ui_locales", "acr_values", "id_token_hint"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """A request that passed every check."""

    client_id: str
    redirect_uri: str
    redirect_uri_was_sent: bool
    """Whether the token request has to repeat it (RFC 6749 §4.1.3)."""
    scope: str
    state: str | None
    nonce: str | None
    code_challenge: str | None
    prompt: tuple[str, ...] = ()
    max_age: int | None = None
    response_mode: str = "query"
    ui_locales: str | None = None
    login_hint: str | None = None
    id_token_hint: str | None = None
    acr_values: tuple[str, ...] = ()
    claims: Mapping[str, list[str]] = field(default_factory=dict)
    """What is asked for by name (OIDC Core §5.5): for `userinfo` and `id_token`."""
    wanted_sub: str | None = None
    """The one user who will do (§5.5.1)."""
    essential_acr: tuple[str, ...] = ()
    """How sure CAS has to be, or the request fails (§5.5.1.1)."""

    def to_json(self) -> str:
        """As text, for the store."""
        return json.dumps({name: getattr(self, name) for name in self.__slots__})

    @classmethod
    def from_json(cls, text: str) -> AuthorizationRequest:
        """Read what `to_json` wrote."""
        members = json.loads(text)
        return cls(**{**members, **{name: tuple(members[name]) for name in ("prompt", "acr_values", "essential_acr")}})

    def to_parameters(self) -> dict[str, str]:
        """As a client would send it again."""
        sent = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri if self.redirect_uri_was_sent else None,
            "scope": self.scope,
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": self.code_challenge,
            "code_challenge_method": self.code_challenge and "S256",
            "prompt": " ".join(self.prompt) or None,
            "max_age": None if self.max_age is None else str(self.max_age),
            "response_mode": None if self.response_mode == "query" else self.response_mode,
            "ui_locales": self.ui_locales,
            "login_hint": self.login_hint,
            "id_token_hint": self.id_token_hint,
            "acr_values": " ".join(self.acr_values) or None,
            "claims": self._claims_parameter(),
        }
        return {name: value for name, value in sent.items() if value is not None}

    def _claims_parameter(self) -> str | None:
        asked: dict[str, dict[str, Any]] = {place: dict.fromkeys(names) for place, names in self.claims.items()}
        if self.wanted_sub is not None:
            asked.setdefault("id_token", {})["sub"] = {"value": self.wanted_sub}
        if self.essential_acr:
            asked.setdefault("id_token", {})["acr"] = {"essential": True, "values": list(self.essential_acr)}
        return json.dumps(asked) if asked else None


def check_authorization_request(
    parameters: Parameters, repeated: tuple[str, ...], clients: ClientRegistry, *, issuer: str
) -> AuthorizationRequest:
    """Run every check in order.

    :raises UnknownClient: an unproven client or redirect URI; show a page, never redirect
    :raises InvalidRequest: likewise, client_id or redirect_uri missing or repeated
    :raises AuthorizationRejected: every other fault, with the address that tells the client
    """
    check_not_repeated(repeated, ("client_id", "redirect_uri"))
    client = check_client(parameters, clients)
    redirect_uri = check_redirect_uri(parameters, client)
    response_mode = "query"
    try:
        response_mode = check_response_mode(parameters, redirect_uri)
        check_not_repeated(repeated, KNOWN_PARAMETERS)
        check_lengths(parameters)
        check_no_request_object(parameters)
        check_response_type(parameters)
        check_grant_type(client)
        return AuthorizationRequest(
            client_id=client.client_id,
            redirect_uri=redirect_uri,
            redirect_uri_was_sent="redirect_uri" in parameters,
            scope=check_scope(parameters, client),
            state=parameters.get("state"),
            nonce=parameters.get("nonce"),
            code_challenge=check_code_challenge(parameters, client),
            prompt=check_prompt(parameters),
            max_age=check_max_age(parameters),
            response_mode=response_mode,
            ui_locales=parameters.get("ui_locales"),
            login_hint=parameters.get("login_hint"),
            id_token_hint=parameters.get("id_token_hint"),
            acr_values=tuple(parameters.get("acr_values", "").split()),
            **check_claims(parameters),
        )
    except OAuthError as error:
        answer = error_answer(error.code, error.wire_description, parameters.get("state"), issuer=issuer)
        raise AuthorizationRejected(
            error.code, error.description, redirect_uri=redirect_uri, answer=answer, response_mode=response_mode
        ) from None


def check_client(parameters: Parameters, clients: ClientRegistry) -> Client:
    """The client has to be registered."""
    client_id = required(parameters, "client_id")
    if client := clients.get(client_id):
        bind_log_context(client=client.client_id)
        return client
    raise UnknownClient(
        gettext_noop(
            "The application that sent you here is not registered with this sign-in service. "
            "Tell the people who run that application."
        ),
        detail=clients.absence_reason(client_id),
    )


def check_redirect_uri(parameters: Parameters, client: Client) -> str:
    """It has to be one of the client's own, RFC 9700 §2.1; with a single one it may be left out."""
    uri = parameters.get("redirect_uri")
    if uri is None and len(client.redirect_uris) == 1:
        return client.redirect_uris[0]
    if uri is not None and client.allows_redirect_to(uri):
        return uri
    raise UnknownClient(
        gettext_noop(
            "%(client)s asked to send you back to an address that is not registered for it, "
            "so you were not sent anywhere. Tell the people who run that application."
        ),
        facts={"client": client.client_name},
        detail=f"client {client.client_id}: redirect_uri {uri[:200] if uri else uri!r} is not registered",
    )


def check_lengths(parameters: Parameters) -> None:
    """What is stored and echoed stays within what browsers and proxies take in a URL."""
    lengths = {name: len(parameters.get(name, "")) for name in KEPT_PARAMETERS}
    for name, length in lengths.items():
        if length > MAXIMAL_ECHO_LENGTH:
            raise InvalidRequest(f"The parameter {name} is longer than {MAXIMAL_ECHO_LENGTH} characters.")
    if sum(lengths.values()) > MAXIMAL_REQUEST_LENGTH:
        raise InvalidRequest(f"The parameters are longer than {MAXIMAL_REQUEST_LENGTH} characters together.")


def check_no_request_object(parameters: Parameters) -> None:
    """Request objects are not supported, and say so by their own codes (OIDC Core §6)."""
    for name in ("request", "request_uri", "registration"):
        if name in parameters:
            raise OAuthError(f"The parameter {name} is not supported.", code=f"{name}_not_supported")


def check_response_type(parameters: Parameters) -> None:
    """Only the code flow, RFC 9700 §2.1.2."""
    if required(parameters, "response_type") != "code":
        raise OAuthError("Only response_type=code is supported.", code="unsupported_response_type")


def check_response_mode(parameters: Parameters, redirect_uri: str) -> str:
    """In the query, or by a form that the browser posts (OAuth 2.0 Form Post Response Mode)."""
    mode = parameters.get("response_mode", "query")
    if mode not in ("query", "form_post"):
        raise InvalidRequest("Only response_mode=query and response_mode=form_post are supported.")
    if mode == "form_post" and urlsplit(redirect_uri).scheme not in ("http", "https"):
        raise InvalidRequest("response_mode=form_post needs an http or https redirect URI.")
    return mode


def check_grant_type(client: Client) -> None:
    """The client has to be registered for codes."""
    if "authorization_code" not in client.grant_types:
        raise OAuthError("This client is not registered for grant_type=authorization_code.", code="unauthorized_client")


def check_claims(parameters: Parameters) -> dict[str, Any]:
    """The claims parameter (OIDC Core §5.5): names; and what a request has to fail without (§5.5.1, §5.5.1.1)."""
    text = parameters.get("claims")
    if text is None:
        return {}
    try:
        asked = json.loads(text)
        places = {place: asked[place] for place in ("userinfo", "id_token") if isinstance(asked.get(place), dict)}
    except (ValueError, AttributeError, RecursionError):
        raise InvalidRequest("The parameter claims is not a JSON object.") from None
    wanted = [place["sub"].get("value") for place in places.values() if isinstance(place.get("sub"), dict)]
    acr = places.get("id_token", {}).get("acr")
    essential = isinstance(acr, dict) and acr.get("essential") is True
    values = (acr.get("values") or [acr.get("value")]) if essential else ()
    return {
        "claims": {place: list(names) for place, names in places.items()},
        "wanted_sub": next((sub for sub in wanted if isinstance(sub, str)), None),
        "essential_acr": tuple(value for value in values if isinstance(value, str)) if isinstance(values, list) else (),
    }


def check_scope(parameters: Parameters, client: Client) -> str:
    """What is not known or not allowed is left out (OIDC Core §3.1.2.1), but something has to be left.

    Without the parameter the client gets all that it is registered for (RFC 6749 §3.3 wants a fixed default), but
    for offline_access, which has to be asked for (OIDC Core §11).
    """
    asked = parameters.get("scope", "").split() or [scope for scope in client.scopes if scope != "offline_access"]
    granted = [scope for scope in SCOPES if scope in asked and scope in client.scopes]
    if not granted:
        raise OAuthError(f"None of these scopes can be given; there are {' '.join(SCOPES)}.", code="invalid_scope")
    return " ".join(granted)


def check_code_challenge(parameters: Parameters, client: Client) -> str | None:
    """PKCE by S256 alone: `plain`, also the implied one, proves nothing (RFC 9700 §2.1.1)."""
    challenge, method = parameters.get("code_challenge"), parameters.get("code_challenge_method")
    if challenge is None:
        if client.require_pkce:
            raise InvalidRequest("PKCE is required: send code_challenge and code_challenge_method=S256.")
        if method is not None:
            raise InvalidRequest("code_challenge_method came without code_challenge.")
        return None
    if method != "S256":
        raise InvalidRequest("Only code_challenge_method=S256 is supported.")
    if not S256_CHALLENGE.fullmatch(challenge):
        raise InvalidRequest("code_challenge is not the base64url form of a SHA-256 hash (43 characters).")
    return challenge


def check_prompt(parameters: Parameters) -> tuple[str, ...]:
    """OIDC Core §3.1.2.1: known values, and `none` alone."""
    prompts = tuple(parameters.get("prompt", "").split())
    if set(prompts) - PROMPTS:
        raise InvalidRequest("prompt has a value that is not known: none, login, consent, select_account are.")
    if "none" in prompts and len(prompts) > 1:
        raise InvalidRequest("prompt=none cannot be combined with another value.")
    return prompts


def check_max_age(parameters: Parameters) -> int | None:
    """Whole seconds."""
    text = parameters.get("max_age")
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise InvalidRequest("max_age must be a whole number of seconds.")
    return int(text)


def error_answer(code: str, description: str, state: str | None, *, issuer: str) -> dict[str, str]:
    """The parameters of an error answer (RFC 6749 §4.1.2.1), with `iss` (RFC 9207)."""
    return with_state({"error": code, "error_description": description}, state, issuer)


def with_state(answer: Mapping[str, str], state: str | None, issuer: str) -> dict[str, str]:
    """What every answer carries besides its own parameters."""
    return dict(answer) | ({} if state is None else {"state": state}) | {"iss": issuer}


def in_query(redirect_uri: str, answer: Mapping[str, str]) -> str:
    """The redirect URI with the answer added to its query, its own query kept byte for byte."""
    return f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{urlencode(answer)}"
