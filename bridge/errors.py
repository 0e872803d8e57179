"""Every way in which Passerelle says no, as one tree.

A `description` is one public sentence: what happened and what to do next. A `detail` is private and goes
to the log. Neither ever holds a ticket, a code, a token or a secret.

    BridgeError                    500  server_error
    ├── ConfigurationError         500  server_error             the start stops and lists every fault
    ├── UpstreamError              502  temporarily_unavailable  CAS did not give a usable answer
    │   ├── UpstreamUnreachable    502                           no connection: refused, no address, TLS
    │   ├── UpstreamTooSlow        502                           connected, but not answered in time
    │   ├── UpstreamMisconfigured  502                           a redirect, a web page, a wrong status
    │   │   └── ServiceNotAccepted 502  server_error             CAS does not take our service URL or request
    │   └── UpstreamMalformed      502                           an answer that cannot be trusted as a whole
    ├── TicketMalformed            400  invalid_request          refused at the gate, CAS was not asked
    ├── TicketRefused              403  access_denied            spent or expired: one new login may mend it
    ├── SignInDenied               403  access_denied            CAS knows the user and says no, by policy
    │   └── IdentityIncomplete     403                           CAS did not say what our rules need to know
    ├── NotAdmitted                403  access_denied            the application is not open to this user
    ├── ClientNotChanged           400  invalid_request          a command about a client that cannot be followed
    ├── LoginNotContinued          400  invalid_request          a callback that no login in this browser waits for
    │   └── FormNotAccepted        400                           a form that another page sent, or an old one
    ├── TooManyFailures            429  temporarily_unavailable  wrong secrets, tokens or callbacks, too often
    ├── AuthorizationRefused       303                           told to the client through the browser
    └── OAuthError                 400  invalid_request          a code of the specifications
        ├── InvalidRequest         400
        ├── UnknownClient          400  unauthorized_client      a page, never a redirect
        ├── InvalidClient          401  invalid_client
        ├── UnauthorizedClient     400  unauthorized_client  it may not do this at all
        ├── InvalidScope           400  invalid_scope
        ├── InvalidGrant           400  invalid_grant
        │   └── TokenReused        400                 a spent code or a replaced refresh token came again
        ├── UnsupportedGrantType   400  unsupported_grant_type
        ├── MissingToken           401
        ├── InvalidToken           401  invalid_token
        └── InsufficientScope      403  insufficient_scope
"""

# ruff: noqa: N818 - the names say what happened, as in `except TicketRefused`

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import ClassVar


def for_people(sentence: str) -> str:
    """Mark a sentence for the catalogues: the page that shows it says it in the reader's language."""
    return sentence


class BridgeError(Exception):
    """The root: anything that the error page or the OAuth answer can tell without knowing more."""

    status: ClassVar[int] = 500
    code: str = "server_error"
    default_description: ClassVar[str] = for_people(
        "Something went wrong here, and it is not your doing. "
        "Try once more; if it happens again, tell the administrator."
    )

    def __init__(
        self, description: str | None = None, *, detail: str = "", parts: Mapping[str, str] | None = None
    ) -> None:
        """`description` may hold `%(name)s` for each of `parts`, so that it can be translated before they are in."""
        self.sentence = description or self.default_description
        self.parts = dict(parts or {})
        self.detail = detail
        super().__init__(self.description)

    @property
    def description(self) -> str:
        """The sentence with its parts, in English: what programs and the log get."""
        return self.sentence % self.parts if self.parts else self.sentence

    @property
    def wire_description(self) -> str:
        """The description in the characters that `error_description` may have (RFC 6749 §5.2)."""
        return re.sub(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]", "?", self.description)


class ConfigurationError(BridgeError):
    """The settings cannot be used. Holds every fault found, so that one correction is enough."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        listed = "".join(f"\n  - {fault}" for fault in self.faults)
        super().__init__(f"The configuration cannot be used; correct this and start again:{listed}")


class UpstreamError(BridgeError):
    """CAS was needed for a sign-in and did not give a usable answer."""

    status = 502
    code = "temporarily_unavailable"
    default_description = for_people(
        "The central sign-in service (CAS) gave no usable answer, so you could not be signed in. "
        "Start again in a few minutes."
    )


class UpstreamUnreachable(UpstreamError):
    """No connection, or one lost before the answer was whole."""

    default_description = for_people(
        "The central sign-in service (CAS) could not be reached, so you could not be signed in. "
        "Start again in a few minutes."
    )


class UpstreamTooSlow(UpstreamError):
    """The time allowed for connecting, or for the whole answer, is over."""

    default_description = for_people(
        "The central sign-in service (CAS) took too long to answer, so you could not be signed in. "
        "Start again in a few minutes."
    )


class UpstreamMisconfigured(UpstreamError):
    """Something answers at the configured address, but not as a CAS validation endpoint does."""

    default_description = for_people(
        "The central sign-in service (CAS) did not answer as expected, so you could not be signed in. "
        "Tell the administrator if this happens again: the address of CAS may be set wrongly."
    )


class ServiceNotAccepted(UpstreamMisconfigured):
    """CAS answers as CAS, but does not take this bridge's service URL or request: registration is missing."""

    code = "server_error"
    default_description = for_people(
        "The central sign-in service (CAS) does not accept sign-ins for this site. "
        "Tell the administrator: the site has to be registered at CAS."
    )


class UpstreamMalformed(UpstreamError):
    """An answer that is broken or ambiguous. Nothing of it is used, and nothing is repaired."""

    default_description = for_people(
        "The central sign-in service (CAS) gave an answer that cannot be trusted, "
        "so you could not be signed in. Start again; if it happens again, tell the administrator."
    )


class TicketMalformed(BridgeError):
    """What came in place of a ticket cannot be one. CAS is never asked about it."""

    status = 400
    code = "invalid_request"
    default_description = for_people(
        "The address that led you here carries no usable sign-in ticket. Go back to the application and sign in again."
    )


class TicketRefused(BridgeError):
    """CAS does not know the ticket (any more). Ordinary traffic: reloads, slow readers, the back button."""

    status = 403
    code = "access_denied"
    default_description = for_people(
        "The sign-in ticket was used before or has expired. Go back to the application and sign in again."
    )


class SignInDenied(BridgeError):
    """CAS's policy refuses this user or this way of signing in."""

    status = 403
    code = "access_denied"
    default_description = for_people(
        "The central sign-in service (CAS) does not let this account in here. "
        "Ask your administrator if you think that it should."
    )


class IdentityIncomplete(SignInDenied):
    """CAS vouches for the user, but not for what the rules make the user name or the subject of."""

    default_description = for_people(
        "The central sign-in service (CAS) let you in, but did not tell what this site has to know you by. "
        "Tell the administrator: your account lacks an attribute, or it is not as expected."
    )


class NotAdmitted(BridgeError):
    """The user is who they say, but this application is not open to them."""

    status = 403
    code = "access_denied"


class ClientNotChanged(BridgeError):
    """What was to be done to a client cannot be done; for whoever typed the command."""

    status = 400
    code = "invalid_request"
    default_description = "The client was not changed."


class LoginNotContinued(BridgeError):
    """A callback without a login that this browser began: replayed, too late, or somebody else's."""

    status = 400
    code = "invalid_request"
    default_description = for_people(
        "This sign-in cannot be continued: it was finished before, waited too long, began in another browser, "
        "or your browser does not accept cookies. Go back to the application and sign in again."
    )


class FormNotAccepted(LoginNotContinued):
    """A form without the token that our own page gave to this session."""

    default_description = for_people(
        "This form is not (or no longer) valid: it was sent by another page, or you signed in again meanwhile. "
        "Go back, load the page again and repeat what you did."
    )


class TooManyFailures(BridgeError):
    """One caller failed too often within a minute, and waits for its end."""

    status = 429
    code = "temporarily_unavailable"
    default_description = for_people(
        "There were too many failed attempts from your address. Wait a minute and try again."
    )


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
        parts: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(description, detail=detail, parts=parts)
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


class AuthorizationRefused(BridgeError):
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
