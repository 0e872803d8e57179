"""The checks of an authorization request, in order (RFC 6749 §4.1.1, RFC 7636 §4.3, OIDC Core §3.1.2.1).

Until the client and its redirect URI are verified, an error is a page for the user. After that it is an error
response to the client.
"""

import base64
import json
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from bridge.errors.oauth import AuthorizationRejected, InvalidRequest, OAuthError, UnknownClient
from bridge.log import bind_log_context
from bridge.oauth.authorization import AuthorizationRequest
from bridge.oauth.clients import Client, ClientRegistry, loggable_uri
from bridge.oauth.parameters import Parameters, check_not_repeated, required, single_values
from bridge.settings.client import SCOPES
from passerelle_common.i18n import gettext_noop

UNCHECKED_PARAMETERS = ("state", "nonce", "ui_locales", "login_hint", "id_token_hint")
UNSUPPORTED_PARAMETERS = ("request", "request_uri", "registration")
KNOWN_PARAMETERS = (
    *("client_id", "redirect_uri", "response_type", "response_mode", "prompt", "max_age", "display"),
    *("code_challenge", "code_challenge_method", "scope", "claims", "acr_values"),
    *UNCHECKED_PARAMETERS,
    *UNSUPPORTED_PARAMETERS,
)
PROMPTS = frozenset({"none", "login", "consent", "select_account"})
S256_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")  # 32 bytes in base64url without padding, RFC 7636 §4.2
MAX_PARAMETER_BYTES = 4096  # what browsers and proxies accept in a URL
MAX_REQUEST_BYTES = 12_288  # as stored, which is what an unauthenticated caller can store for ten minutes

UNKNOWN_CLIENT = gettext_noop(
    "The application that sent you here is not registered with this sign-in service. "
    "Contact the support of that application."
)
MISSING_REDIRECT_URI = gettext_noop(
    "%(client)s did not say which of its addresses you should return to (redirect_uri), so the sign-in was stopped. "
    "Contact the support of that application."
)
UNKNOWN_REDIRECT_URI = gettext_noop(
    "%(client)s asked to send you back to an address that is not registered for it, so the sign-in was stopped. "
    "Contact the support of that application."
)


def check_authorization_request(
    pairs: Iterable[tuple[str, str]], clients: ClientRegistry, *, issuer: str
) -> tuple[AuthorizationRequest, Client]:
    """Parse a request, run every check in order, and return the request with its client.

    A fault of the client, its redirect URI or the length of `state` is shown as a page, never redirected:
    UnknownClient, InvalidRequest.
    Any other is an AuthorizationRejected, an error response to the client.
    """
    parameters, repeated = single_values(pairs)
    check_not_repeated(repeated, ("client_id", "redirect_uri"))
    client = check_client(required(parameters, "client_id"), clients)
    redirect_uri = _check_redirect_uri(parameters.get("redirect_uri"), client)
    # Not redirected either: the response would repeat it, in a header that proxies reject.
    check_lengths(parameters, ("state",))
    request = AuthorizationRequest(
        client_id=client.client_id,
        redirect_uri=redirect_uri,
        redirect_uri_was_sent="redirect_uri" in parameters,
        scope="",
        code_challenge=None,
        **{name: parameters.get(name) for name in UNCHECKED_PARAMETERS},  # type: ignore[arg-type]
    )
    try:
        request = replace(request, response_mode=_check_response_mode(parameters, redirect_uri))
        check_not_repeated(repeated, KNOWN_PARAMETERS)
        _check_code_flow(parameters, client)
        check_lengths(parameters, KNOWN_PARAMETERS)
        request = replace(
            request,
            scope=_check_scope(parameters, client),
            code_challenge=_check_code_challenge(parameters, client),
            prompt=_check_prompt(parameters),
            max_age=check_max_age(parameters),
            acr_values=tuple(dict.fromkeys(parameters.get("acr_values", "").split())),
            **check_claims(parameters),
        )
        _check_stored_size(request)
    except OAuthError as error:
        raise refused(issuer, request, error.code, error.wire_description) from None
    return request, client


def check_client(client_id: str, clients: ClientRegistry) -> Client:
    """Return the registered client, and name it in the log lines of this request."""
    if client := clients.get(client_id):
        bind_log_context(client=client.client_id)
        return client
    raise UnknownClient(UNKNOWN_CLIENT, detail=clients.absence_reason(client_id))


def _check_redirect_uri(uri: str | None, client: Client) -> str:
    """Return a registered redirect URI (RFC 9700 §2.1); a client with a single one may omit it."""
    if uri is None and len(client.redirect_uris) == 1:
        return client.redirect_uris[0]
    if uri is not None and client.allows_redirect_to(uri):
        return uri
    fault = (
        "redirect_uri is missing"
        if uri is None
        else f"redirect_uri is not registered: {loggable_uri(uri, client.redirect_uris)}"
    )
    raise UnknownClient(
        MISSING_REDIRECT_URI if uri is None else UNKNOWN_REDIRECT_URI,
        facts={"client": client.client_name},
        detail=f"client {client.client_id}: {fault}",
    )


def check_lengths(parameters: Parameters, names: Iterable[str]) -> None:
    """Limit what is stored and echoed, in bytes of UTF-8."""
    for name in names:
        if len(parameters.get(name, "").encode("utf-8", "surrogatepass")) > MAX_PARAMETER_BYTES:
            raise InvalidRequest(f"The parameter {name} is longer than {MAX_PARAMETER_BYTES} bytes.")


def _check_stored_size(request: AuthorizationRequest) -> None:
    """Limit the request as it is stored, where control characters and lists take more bytes than they were sent in."""
    try:
        size = len(request.to_json().encode())
    except UnicodeEncodeError:
        raise InvalidRequest("The parameter claims contains characters that are not Unicode text.") from None
    if size > MAX_REQUEST_BYTES:
        raise InvalidRequest(f"The parameters take more than {MAX_REQUEST_BYTES} bytes together.")


def _check_code_flow(parameters: Parameters, client: Client) -> None:
    """Allow the code flow only (RFC 9700 §2.1.2), without request objects (OIDC Core §6)."""
    for name in UNSUPPORTED_PARAMETERS:
        if name in parameters:
            raise OAuthError(f"The parameter {name} is not supported.", code=f"{name}_not_supported")
    if required(parameters, "response_type") != "code":
        raise OAuthError("Only response_type=code is supported.", code="unsupported_response_type")
    if "authorization_code" not in client.grant_types:
        raise OAuthError("This client is not registered for grant_type=authorization_code.", code="unauthorized_client")


def _check_response_mode(parameters: Parameters, redirect_uri: str) -> str:
    """Return `query`, or `form_post` (OAuth 2.0 Form Post Response Mode)."""
    mode = parameters.get("response_mode") or _response_mode_of_request_object(parameters)
    if mode not in ("query", "form_post"):
        raise InvalidRequest("Only response_mode=query and response_mode=form_post are supported.")
    if mode == "form_post" and urlsplit(redirect_uri).scheme not in ("http", "https"):
        raise InvalidRequest("response_mode=form_post requires an http or https redirect URI.")
    return mode


def _response_mode_of_request_object(parameters: Parameters) -> str:
    """Return form_post if a request object, which is rejected, names it: the error must arrive in this way."""
    _, _, payload = parameters.get("request", "").partition(".")
    with suppress(ValueError, AttributeError, RecursionError):
        members = json.loads(base64.urlsafe_b64decode(payload.partition(".")[0] + "=="))
        if members.get("response_mode") == "form_post":
            return "form_post"
    return "query"


def check_claims(parameters: Parameters) -> dict[str, Any]:
    """Return the `AuthorizationRequest` fields of the claims parameter (OIDC Core §5.5)."""
    text = parameters.get("claims")
    if text is None:
        return {}
    try:
        requested = json.loads(text)
        places = {name: requested[name] for name in ("userinfo", "id_token") if isinstance(requested.get(name), dict)}
    except (ValueError, AttributeError, RecursionError):
        raise InvalidRequest("The parameter claims is not a JSON object.") from None
    subjects = [place["sub"].get("value") for place in places.values() if isinstance(place.get("sub"), dict)]
    acr = places.get("id_token", {}).get("acr")
    essential = isinstance(acr, dict) and acr.get("essential") is True
    values = (acr.get("values") or [acr.get("value")]) if essential else ()
    return {
        "claims": {name: list(place) for name, place in places.items()},
        "wanted_sub": next((sub for sub in subjects if isinstance(sub, str)), None),
        "essential_acr": tuple(value for value in values if isinstance(value, str)) if isinstance(values, list) else (),
    }


def _check_scope(parameters: Parameters, client: Client) -> str:
    """Return the granted scopes: unknown and unregistered ones are ignored (OIDC Core §3.1.2.1).

    Without the parameter, the default is every registered scope (RFC 6749 §3.3) except offline_access, which a client
    must request (OIDC Core §11).
    """
    requested = parameters.get("scope", "").split() or [scope for scope in client.scopes if scope != "offline_access"]
    granted = [scope for scope in SCOPES if scope in requested and scope in client.scopes]
    if not granted:
        raise OAuthError(f"No requested scope is available. Supported: {' '.join(SCOPES)}.", code="invalid_scope")
    return " ".join(granted)


def _check_code_challenge(parameters: Parameters, client: Client) -> str | None:
    """Allow PKCE with S256 only: `plain`, the default method, protects nothing (RFC 9700 §2.1.1)."""
    challenge, method = parameters.get("code_challenge"), parameters.get("code_challenge_method")
    if challenge is None:
        if client.require_pkce:
            raise InvalidRequest("PKCE is required: send code_challenge and code_challenge_method=S256.")
        if method is not None:
            raise InvalidRequest("code_challenge_method was sent without code_challenge.")
        return None
    if method != "S256":
        raise InvalidRequest("Only code_challenge_method=S256 is supported.")
    if not S256_CHALLENGE.fullmatch(challenge):
        raise InvalidRequest("code_challenge is not the base64url form of a SHA-256 hash (43 characters).")
    return challenge


def _check_prompt(parameters: Parameters) -> tuple[str, ...]:
    """Return the prompt values; `none` excludes every other (OIDC Core §3.1.2.1)."""
    prompts = tuple(dict.fromkeys(parameters.get("prompt", "").split()))
    if set(prompts) - PROMPTS:
        raise InvalidRequest("prompt has an unknown value. Supported: none, login, consent, select_account.")
    if "none" in prompts and len(prompts) > 1:
        raise InvalidRequest("prompt=none cannot be combined with another value.")
    return prompts


def check_max_age(parameters: Parameters) -> int | None:
    """Return max_age in whole seconds."""
    text = parameters.get("max_age")
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise InvalidRequest("max_age must be a whole number of seconds.")
    return int(text)


def refused(issuer: str, request: AuthorizationRequest, code: str, description: str) -> AuthorizationRejected:
    """Build an error response to the client (RFC 6749 §4.1.2.1)."""
    return AuthorizationRejected(
        code,
        description,
        redirect_uri=request.redirect_uri,
        answer=response_parameters({"error": code, "error_description": description}, request.state, issuer),
        response_mode=request.response_mode,
    )


def response_parameters(parameters: dict[str, str], state: str | None, issuer: str) -> dict[str, str]:
    """Add `state` and `iss` (RFC 9207) to the parameters of a response."""
    return parameters | ({} if state is None else {"state": state}) | {"iss": issuer}
