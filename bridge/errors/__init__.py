"""All errors of the bridge, as one tree.

`description` is a public sentence: what happened and what to do. `detail` is private and goes to the log. Neither ever
holds a ticket, code, token or secret.

    BridgeError                    500  server_error
    ├── ConfigurationError         500  server_error             invalid settings; lists every fault
    ├── ClientCommandError         400  invalid_request          a client command that cannot be carried out
    ├── UpstreamError              502  temporarily_unavailable  no usable response from CAS
    │   ├── UpstreamUnreachable    502                           connection refused, DNS, TLS
    │   ├── UpstreamTimeout        502                           no complete response in time
    │   ├── UpstreamBusy           503                           not asked, because CAS is too slow
    │   ├── UpstreamMisconfigured  502                           redirect, web page or unexpected status
    │   │   └── ServiceRejected    502  server_error             CAS rejects the service URL
    │   └── UpstreamMalformed      502                           invalid or ambiguous response
    ├── TicketMalformed            400  invalid_request          rejected without a request to CAS
    ├── TicketRejected             403  access_denied            used or expired; a new login may succeed
    ├── SignInDenied               403  access_denied            CAS denies access to this user
    │   └── IdentityIncomplete     403                           a required attribute is missing
    ├── AccessDenied               403  access_denied            the user may not use this application
    ├── LoginNotFound              400  invalid_request          callback without a pending login
    │   └── InvalidFormToken       400                           form without a valid CSRF token
    ├── LogoutRequestMalformed     400  invalid_request          not a logout request of CAS
    ├── RateLimitExceeded          429  temporarily_unavailable  too many failed attempts
    ├── StoreUnavailable           503  temporarily_unavailable  the database is down, full, read-only or locked
    ├── AuthorizationRejected      303                           redirect to the client with an error
    └── OAuthError                 400  invalid_request          with another `code` of the specifications, if given
        ├── InvalidRequest         400
        ├── UnknownClient          400  unauthorized_client      shown as a page, never redirected
        ├── InvalidClient          401  invalid_client
        ├── InvalidGrant           400  invalid_grant
        │   ├── IdentityExpired    400                           older than identity_max_age_seconds
        │   └── TokenReused        400                           a code or refresh token was replayed
        ├── MissingToken           401
        ├── InvalidToken           401  invalid_token
        └── InsufficientScope      403  insufficient_scope
"""

# ruff: noqa: N818 - names describe the failure, as in `except TicketRejected`

import re
from collections.abc import Iterable, Mapping
from typing import ClassVar

from passerelle_common.i18n import gettext_noop


class BridgeError(Exception):
    """Base class: has all that an error page, an OAuth error response and the log need.

    In a description, `%(name)s` stands for one of the `facts`, so that the sentence can be translated.
    """

    status: ClassVar[int] = 500
    code: str = "server_error"
    default_description: ClassVar[str] = gettext_noop(
        "An internal error occurred. Try again; if it happens again, tell the administrator."
    )

    def __init__(
        self,
        description: str | None = None,
        *,
        code: str | None = None,
        detail: str = "",
        facts: Mapping[str, str] | None = None,
    ) -> None:
        if code is not None:
            self.code = code
        self.msgid = description or self.default_description
        self.facts = dict(facts or {})
        self.detail = detail
        super().__init__(self.description)

    @property
    def description(self) -> str:
        """The public sentence in English, with its facts, for clients and the log."""
        return self.msgid % self.facts if self.facts else self.msgid

    @property
    def wire_description(self) -> str:
        """The description in the characters that `error_description` allows (RFC 6749 §5.2)."""
        return re.sub(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]", "?", self.description)


class ConfigurationError(BridgeError):
    """The settings are invalid. Lists every fault, so that one correction is enough."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        listed = "".join(f"\n  - {fault}" for fault in self.faults)
        super().__init__(f"The configuration is invalid. Correct these settings and start again:{listed}")


class ClientCommandError(BridgeError):
    """A command about a client cannot be carried out."""

    status = 400
    code = "invalid_request"


class UpstreamError(BridgeError):
    """CAS gave no usable response."""

    status = 502
    code = "temporarily_unavailable"
    default_description = gettext_noop(
        "The central sign-in service (CAS) gave no usable response, so you could not be signed in. "
        "Start again in a few minutes."
    )


class UpstreamUnreachable(UpstreamError):
    """The connection failed, or was lost before the response was complete."""

    default_description = gettext_noop(
        "The central sign-in service (CAS) could not be reached, so you could not be signed in. "
        "Start again in a few minutes."
    )


class UpstreamTimeout(UpstreamError):
    """The connection or the complete response took too long."""

    default_description = gettext_noop(
        "The central sign-in service (CAS) took too long to answer, so you could not be signed in. "
        "Start again in a few minutes."
    )


class UpstreamBusy(UpstreamError):
    """The ticket was not sent, because too many requests wait for CAS, or because the last ones timed out."""

    status = 503
    default_description = gettext_noop(
        "The central sign-in service (CAS) is slow at the moment, so you could not be signed in. "
        "Try again in a few seconds."
    )


class UpstreamMisconfigured(UpstreamError):
    """The endpoint responds, but not as a CAS validation endpoint."""

    default_description = gettext_noop(
        "The central sign-in service (CAS) did not respond as expected, so you could not be signed in. "
        "Tell the administrator if this happens again: the configured address of CAS may be wrong."
    )


class ServiceRejected(UpstreamMisconfigured):
    """CAS rejects the service URL or the request: the service is not registered."""

    code = "server_error"
    default_description = gettext_noop(
        "The central sign-in service (CAS) does not accept sign-ins for this site. "
        "Tell the administrator: the site must be registered with CAS."
    )


class UpstreamMalformed(UpstreamError):
    """The response is invalid or ambiguous. It is rejected whole, and never repaired."""

    default_description = gettext_noop(
        "The central sign-in service (CAS) gave an invalid response, so you could not be signed in. "
        "Start again; if it happens again, tell the administrator."
    )


class TicketMalformed(BridgeError):
    """The `ticket` parameter is not a service ticket. It is not sent to CAS."""

    status = 400
    code = "invalid_request"
    default_description = gettext_noop(
        "The link that led you here has no usable sign-in ticket. Go back to the application and sign in again."
    )


class TicketRejected(BridgeError):
    """CAS does not know the ticket. This is common: reloads, slow users, the back button."""

    status = 403
    code = "access_denied"
    default_description = gettext_noop(
        "The sign-in ticket has expired or was already used. Go back to the application and sign in again."
    )


class SignInDenied(BridgeError):
    """CAS denies access to this user, or to this kind of login."""

    status = 403
    code = "access_denied"
    default_description = gettext_noop(
        "The central sign-in service (CAS) does not allow this account to use this site. "
        "Ask your administrator if you need access."
    )


class IdentityIncomplete(SignInDenied):
    """CAS released no usable attribute for the username or the subject."""

    default_description = gettext_noop(
        "The central sign-in service (CAS) signed you in, but did not identify you to this site. "
        "Tell the administrator: an attribute of your account is missing or invalid."
    )


class AccessDenied(BridgeError):
    """The user may not use this application."""

    status = 403
    code = "access_denied"


class LoginNotFound(BridgeError):
    """The callback matches no pending login of this browser: replayed, expired, or from another browser."""

    status = 400
    code = "invalid_request"
    default_description = gettext_noop(
        "This sign-in cannot be continued: it is already complete, has expired, was started in another browser, "
        "or your browser does not accept cookies. Go back to the application and sign in again."
    )


class LogoutRequestMalformed(BridgeError):
    """The request is not a logout request of CAS. No session ends."""

    status = 400
    code = "invalid_request"
    default_description = gettext_noop(
        "This address accepts only logout requests of the central sign-in service (CAS)."
    )


class InvalidFormToken(LoginNotFound):
    """The form lacks the CSRF token of this session."""

    default_description = gettext_noop(
        "This form is no longer valid, because you signed in again or another page sent it. "
        "Go back, reload the page and try again."
    )


class RateLimitExceeded(BridgeError):
    """The caller failed too often within a minute."""

    status = 429
    code = "temporarily_unavailable"
    default_description = gettext_noop("Too many failed attempts from your address. Wait a minute and try again.")


class StoreUnavailable(BridgeError):
    """The database is down, full, read-only, locked or damaged."""

    status = 503
    code = "temporarily_unavailable"
    default_description = gettext_noop(
        "This sign-in service cannot be used at the moment. "
        "Try again in a few minutes; if it happens again, tell the administrator."
    )
