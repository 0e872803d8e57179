"""What can keep a person from being signed in: CAS, their ticket, their browser, or a rule."""

# ruff: noqa: N818 - the names say what happened, as in `except TicketRejected`

from bridge.errors.root import BridgeError
from passerelle_common.i18n import gettext_noop


class UpstreamError(BridgeError):
    """CAS was needed for a sign-in and did not give a usable answer."""

    status = 502
    code = "temporarily_unavailable"
    default_description = gettext_noop(
        "The central sign-in service (CAS) gave no usable answer, so you could not be signed in. "
        "Start again in a few minutes."
    )


class UpstreamUnreachable(UpstreamError):
    """No connection, or one lost before the answer was whole."""

    default_description = gettext_noop(
        "The central sign-in service (CAS) could not be reached, so you could not be signed in. "
        "Start again in a few minutes."
    )


class UpstreamTimeout(UpstreamError):
    """The time allowed for connecting, or for the whole answer, is over."""

    default_description = gettext_noop(
        "The central sign-in service (CAS) took too long to answer, so you could not be signed in. "
        "Start again in a few minutes."
    )


class UpstreamMisconfigured(UpstreamError):
    """Something answers at the configured address, but not as a CAS validation endpoint does."""

    default_description = gettext_noop(
        "The central sign-in service (CAS) did not answer as expected, so you could not be signed in. "
        "Tell the administrator if this happens again: the address of CAS may be set wrongly."
    )


class ServiceRejected(UpstreamMisconfigured):
    """CAS answers as CAS, but does not take this bridge's service URL or request: registration is missing."""

    code = "server_error"
    default_description = gettext_noop(
        "The central sign-in service (CAS) does not accept sign-ins for this site. "
        "Tell the administrator: the site has to be registered at CAS."
    )


class UpstreamMalformed(UpstreamError):
    """An answer that is broken or ambiguous. Nothing of it is used, and nothing is repaired."""

    default_description = gettext_noop(
        "The central sign-in service (CAS) gave an answer that cannot be trusted, "
        "so you could not be signed in. Start again; if it happens again, tell the administrator."
    )


class TicketMalformed(BridgeError):
    """What came in place of a ticket cannot be one. CAS is never asked about it."""

    status = 400
    code = "invalid_request"
    default_description = gettext_noop(
        "The address that led you here carries no usable sign-in ticket. Go back to the application and sign in again."
    )


class TicketRejected(BridgeError):
    """CAS does not know the ticket (any more). Ordinary traffic: reloads, slow readers, the back button."""

    status = 403
    code = "access_denied"
    default_description = gettext_noop(
        "The sign-in ticket was used before or has expired. Go back to the application and sign in again."
    )


class SignInDenied(BridgeError):
    """CAS's policy refuses this user or this way of signing in."""

    status = 403
    code = "access_denied"
    default_description = gettext_noop(
        "The central sign-in service (CAS) does not let this account in here. "
        "Ask your administrator if you think that it should."
    )


class IdentityIncomplete(SignInDenied):
    """CAS vouches for the user, but not for what the rules make the user name or the subject of."""

    default_description = gettext_noop(
        "The central sign-in service (CAS) let you in, but did not tell what this site has to know you by. "
        "Tell the administrator: your account lacks an attribute, or it is not as expected."
    )


class AccessDenied(BridgeError):
    """The user is who they say, but this application is not open to them."""

    status = 403
    code = "access_denied"


class LoginNotFound(BridgeError):
    """A callback without a login that this browser began: replayed, too late, or somebody else's."""

    status = 400
    code = "invalid_request"
    default_description = gettext_noop(
        "This sign-in cannot be continued: it was finished before, waited too long, began in another browser, "
        "or your browser does not accept cookies. Go back to the application and sign in again."
    )


class LogoutRequestMalformed(BridgeError):
    """What came in place of a logout request of CAS is none. Nobody is signed out by it."""

    status = 400
    code = "invalid_request"
    default_description = gettext_noop(
        "This address is for the central sign-in service (CAS), and it did not send this."
    )


class InvalidFormToken(LoginNotFound):
    """A form without the token that our own page gave to this session."""

    default_description = gettext_noop(
        "This form is not (or no longer) valid: it was sent by another page, or you signed in again meanwhile. "
        "Go back, load the page again and repeat what you did."
    )


class RateLimitExceeded(BridgeError):
    """One caller failed too often within a minute, and waits for its end."""

    status = 429
    code = "temporarily_unavailable"
    default_description = gettext_noop(
        "There were too many failed attempts from your address. Wait a minute and try again."
    )
