"""What a client is told, by the codes of the specifications."""

# ruff: noqa: N818 - the names say what happened, as in `except TicketRejected`

from __future__ import annotations

from collections.abc import Mapping

from bridge.errors.root import BridgeError


class OAuthError(BridgeError):
    """A refusal that the specifications have a code for, RFC 6749 §4.1.2.1 and §5.2.

    :param code: for a code that a single check raises and nobody catches; else a subclass has it
    """

    status = 400
    code = "invalid_request"

    def __init__(
        self,
        description: str | None = None,
        *,
        code: str | None = None,
        detail: str = "",
        facts: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(description, detail=detail, facts=facts)
        if code is not None:
            self.code = code


class InvalidRequest(OAuthError):
    """The request lacks a parameter, repeats one, or holds one that cannot be right."""


class UnknownClient(OAuthError):
    """No such client, or a redirect URI that is not its own: nobody may be sent anywhere."""

    code = "unauthorized_client"


class InvalidClient(OAuthError):
    """The client did not prove who it is, RFC 6749 §5.2. Says the same whatever was wrong."""

    status = 401
    code = "invalid_client"
    default_description = "The client is unknown or did not prove who it is: check client_id and client_secret."


class UnauthorizedClient(OAuthError):
    """A client that may not do this at all."""

    code = "unauthorized_client"


class InvalidScope(OAuthError):
    """Scopes that are unknown here, or more than the client may have."""

    code = "invalid_scope"


class InvalidGrant(OAuthError):
    """The code is unknown, spent, too old, or was given to somebody else."""

    code = "invalid_grant"
    default_description = "The code or token is not valid (any more); it is good once, for a while, for its own client."


class IdentityExpired(InvalidGrant):
    """The grant is good, but CAS has to be asked about the user again, and only their browser can do that.

    Said in words of its own, so that an application need not take it for a session that ended.
    """

    default_description = "What is known about the user is too old; send them to the authorization endpoint again."


class TokenReused(InvalidGrant):
    """A spent code or a replaced refresh token came again, so everything given out for it was revoked.

    The client is told no more than InvalidGrant says: it may be the thief.
    """

    def __init__(self, what: str, *, client_id: str, subject: str | None) -> None:
        self.what = what
        self.client_id = client_id
        self.subject = subject
        super().__init__(detail=f"{what} used again: its grant is revoked")


class UnsupportedGrantType(OAuthError):
    """The token endpoint does not know this grant."""

    code = "unsupported_grant_type"


class InvalidToken(OAuthError):
    """The access token is unknown, too old or revoked, RFC 6750 §3.1."""

    status = 401
    code = "invalid_token"
    default_description = "The access token is unknown, expired or revoked."


class MissingToken(OAuthError):
    """No access token came along: asked for one without an error code, RFC 6750 §3.1."""

    status = 401
    code = ""


class InsufficientScope(OAuthError):
    """The access token does not reach this far, RFC 6750 §3.1."""

    status = 403
    code = "insufficient_scope"


class AuthorizationRejected(BridgeError):
    """A refusal that goes back to the client: its redirect URI is proven by now, RFC 6749 §4.1.2.1.

    :param answer: the parameters that the client gets, by `response_mode` at `redirect_uri`
    """

    status = 303

    def __init__(
        self, code: str, description: str, *, redirect_uri: str, answer: Mapping[str, str], response_mode: str
    ) -> None:
        self.redirect_uri = redirect_uri
        self.answer = answer
        self.response_mode = response_mode
        super().__init__(description, detail=code)
