"""Errors of a login: CAS, the ticket, the browser or an access rule."""

# ruff: noqa: N818 - names describe the failure, as in `except TicketRejected`

from bridge.errors.root import BridgeError
from passerelle_common.i18n import gettext_noop


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
