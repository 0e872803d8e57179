"""OAuth errors, by the codes of the specifications."""

# ruff: noqa: N818 - names describe the failure, as in `except TicketRejected`

from collections.abc import Mapping

from bridge.errors import BridgeError


class OAuthError(BridgeError):
    """An error with a code of the specifications (RFC 6749 §4.1.2.1 and §5.2), by class or by `code`."""

    status = 400
    code = "invalid_request"


class InvalidRequest(OAuthError):
    """The request lacks a parameter, repeats one, or has an invalid one."""


class UnknownClient(OAuthError):
    """The client or its redirect URI is not registered, so the browser must not be redirected."""

    code = "unauthorized_client"


class InvalidClient(OAuthError):
    """Client authentication failed (RFC 6749 §5.2). The sentence is the same for every cause."""

    status = 401
    code = "invalid_client"
    default_description = "Client authentication failed: check client_id and client_secret."


class InvalidGrant(OAuthError):
    """The code or token is unknown, used, expired, or was issued to another client."""

    code = "invalid_grant"
    default_description = "The code or token is invalid, expired, already used, or was issued to another client."


class IdentityExpired(InvalidGrant):
    """The grant is valid, but the user must be validated with CAS again, through their browser.

    Its sentence differs from `InvalidGrant`, so that the client does not take it for the end of the session.
    """

    default_description = "The user must be validated: send them to the authorization endpoint again."


class TokenReused(InvalidGrant):
    """A code or refresh token was replayed, so its grant was revoked.

    The client gets the sentence of `InvalidGrant`, because the caller may be the attacker.
    """

    def __init__(self, what: str, *, client_id: str, subject: str | None) -> None:
        self.what = what
        self.client_id = client_id
        self.subject = subject
        super().__init__(detail=f"{what} reused: its grant is revoked")


class InvalidToken(OAuthError):
    """The access token is unknown, expired or revoked (RFC 6750 §3.1)."""

    status = 401
    code = "invalid_token"
    default_description = "The access token is unknown, expired or revoked."


class MissingToken(OAuthError):
    """The request has no access token; the response has no error code (RFC 6750 §3.1)."""

    status = 401
    code = ""


class InsufficientScope(OAuthError):
    """The access token lacks a required scope (RFC 6750 §3.1)."""

    status = 403
    code = "insufficient_scope"


class AuthorizationRejected(BridgeError):
    """An error that is redirected to the client, whose redirect URI is verified (RFC 6749 §4.1.2.1)."""

    status = 303

    def __init__(
        self, code: str, description: str, *, redirect_uri: str, answer: Mapping[str, str], response_mode: str
    ) -> None:
        self.redirect_uri = redirect_uri
        self.answer = answer
        self.response_mode = response_mode
        super().__init__(description, detail=code)
