"""The service registration at CAS: what to register, and findings about the current registration. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from bridge.cas.protocol import service_url
from bridge.check.findings import Finding, fault, note, ok, printable, skipped, warning
from bridge.check.probe import Failure, Response
from bridge.check.protocols import without_query
from bridge.settings import Settings
from passerelle_common.i18n import Message

# The top-level domain `invalid` never exists (RFC 6761 §6.4), so no registry holds this URL.
UNREGISTERED_SERVICE = "https://passerelle-check.invalid/cas/callback"

_ID = "cas.service"
_PASSWORD_FIELD = re.compile(rb"<input[^>]*\btype\s*=\s*[\"']?password", re.I)
_SPECIAL, _ESCAPED = re.compile(r"([.^$*+?()\[\]{}|\\])"), r"\\\1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """The URLs that the CAS administrator registers for the bridge."""

    issuer: str
    state_in_cookie: bool = False
    """Whether the service URL has no query (`cas_service_state` = cookie)."""
    returns_from_logout: bool = False
    """Whether CAS redirects browsers back after a logout (`cas_logout` = return)."""

    @classmethod
    def from_settings(cls, settings: Settings) -> Registration:
        """Return the registration that the settings need."""
        return cls(
            issuer=settings.issuer,
            state_in_cookie=settings.cas_service_state == "cookie",
            returns_from_logout=settings.cas_logout == "return",
        )

    @property
    def service(self) -> str:
        """Return a service URL in the form that sign-ins use."""
        return service_url(self.issuer, None if self.state_in_cookie else "passerelle-check")

    @property
    def pattern(self) -> str:
        """Return the regular expression for the whole service URL, valid in Java, Python and Perl."""
        exact = _SPECIAL.sub(_ESCAPED, service_url(self.issuer, None))
        if self.returns_from_logout:
            exact = rf"{_SPECIAL.sub(_ESCAPED, self.issuer)}/(cas/callback|logout/done)"
        return f"^{exact}$" if self.state_in_cookie else rf"^{exact}(\?.*)?$"

    @property
    def logout_url(self) -> str:
        """Return the URL to which CAS posts logout requests."""
        return f"{self.issuer}/cas/logout"


def evaluate_login_page(
    ours: Response | Failure, other: Response | Failure | None, registration: Registration
) -> Finding:
    """Evaluate whether our service URL is registered.

    CAS redirects at once to a registered service if `gateway=true` forbids it to ask the user (§2.1.1).

    Args:
        ours: The login page's response for our service URL.
        other: Its response for `UNREGISTERED_SERVICE`; without any service if ours failed with a 5xx status.
        registration: What should be registered.
    """
    service = registration.service
    if isinstance(ours, Failure):
        return skipped(_ID, "The registration of our service URL", f"the login page failed ({ours.detail})")
    if found := _evaluate_error(ours, other):
        return found
    if ours.is_redirect:
        return _evaluate_redirect(ours, other, registration)
    if _differs_for_unregistered(ours, other):
        return note(
            _ID,
            "CAS shows its login page for our service URL and rejects an unknown one.",
            "Ours is registered. This server does not support gateway=true, so prompt=none will not work.",
        )
    if is_login_form(ours):
        return warning(
            _ID,
            f"CAS shows its login form for {service}, although gateway=true forbids it.",
            "The check cannot see whether our service URL is registered; prompt=none will not work.",
            "Try a sign-in.",
        )
    return not_registered(ours, registration)


def _evaluate_error(ours: Response, other: Response | Failure | None) -> Finding | None:
    if ours.status == 404:
        return fault(
            _ID,
            f"There is no login page at {without_query(ours.url)} (status 404).",
            "The bridge redirects users to a page that does not exist.",
            "Correct PASSERELLE_CAS_URL (the address before /login), or set PASSERELLE_CAS_LOGIN_URL.",
        )
    if ours.status >= 500 and not (isinstance(other, Response) and other.status == 200):
        return fault(
            _ID,
            f"The login page of CAS failed (status {ours.status}).",
            "Users cannot sign in until this is fixed.",
            "Notify the CAS administrator; the log of CAS holds the reason.",
            Message(
                "Your login page responds with status %(status)s when we request it with our service URL.",
                {"status": ours.status},
            ),
        )
    if ours.status == 429:
        return skipped(_ID, "The registration of our service URL", "CAS limits our requests (status 429)")
    return None


def _evaluate_redirect(ours: Response, other: Response | Failure | None, registration: Registration) -> Finding:
    if not is_same_service(ours.location, registration.service):
        return warning(
            _ID,
            f"The login page of CAS redirects to {printable(without_query(ours.location))}.",
            "Browsers follow this redirect. The check does not, so it cannot see the registration.",
            "If CAS has moved there, correct PASSERELLE_CAS_URL. If that is another identity provider, try a sign-in.",
        )
    if isinstance(other, Response) and other.is_redirect and is_same_service(other.location, UNREGISTERED_SERVICE):
        return note(
            _ID,
            "CAS redirects browsers to our service URL, but also to any other URL.",
            "It accepts every service, or checks later, so this proves no registration. Try a sign-in.",
            f"Have our service URL registered for attributes and single logout: {registration.pattern}",
        )
    return ok(_ID, f"Our service URL is registered: CAS redirects browsers to {without_query(registration.service)}.")


def seems_unregistered(ours: Response | Failure, other: Response | Failure | None) -> bool:
    """Return whether CAS seems to reject our service URL."""
    if isinstance(ours, Failure) or ours.is_redirect or ours.status in (404, 429) or is_login_form(ours):
        return False
    if ours.status >= 500:
        return isinstance(other, Response) and other.status == 200
    return not _differs_for_unregistered(ours, other)


def _differs_for_unregistered(ours: Response, other: Response | Failure | None) -> bool:
    if ours.status != 200 or not isinstance(other, Response):
        return False
    return 400 <= other.status < 500 or (other.status == 200 and is_login_form(ours) and not is_login_form(other))


def is_login_form(response: Response) -> bool:
    """Return whether a page asks for a password."""
    return response.status == 200 and _PASSWORD_FIELD.search(response.body) is not None


def not_registered(ours: Response, registration: Registration) -> Finding:
    """Report that our service URL is not registered."""
    return fault(
        _ID,
        f"CAS shows a page (status {ours.status}) instead of a redirect to {registration.service}.",
        "Our service URL is not registered. CAS issues no tickets for it and shows users an error.",
        f"Send `passerelle check --message` to the CAS administrator; the pattern is {registration.pattern}",
        Message(
            "Our service URL is not registered yet: your login page shows an error (status %(status)s) instead of a "
            "redirect.",
            {"status": ours.status},
        ),
    )


def registered_without_query(bare: str, registration: Registration) -> Finding:
    """Report a registration that matches our service URL only without its query."""
    return fault(
        _ID,
        f"CAS knows {bare}, but not {registration.service}.",
        "Our service URL is registered without the query that every sign-in has. CAS issues no tickets for it.",
        f"Ask the CAS administrator to end the pattern in (\\?.*)? ({registration.pattern}). If that is impossible, "
        "set PASSERELLE_CAS_SERVICE_STATE=cookie, which protects less.",
        Message(
            "Our service URL is registered without its query, so CAS rejects %(service)s. Please end the pattern in "
            "(\\?.*)? as above.",
            {"service": registration.service},
        ),
    )


def registered_with_other_scheme(known: str, registration: Registration) -> Finding:
    """Report a registration with https instead of http, or the reverse."""
    ours, theirs = registration.service.partition(":")[0], known.partition(":")[0]
    return fault(
        _ID,
        f"CAS knows {known}, but not {registration.service}.",
        f"Our service URL is registered as {theirs}, but it is {ours}. CAS issues no tickets for it.",
        f"Ask the CAS administrator to register {registration.pattern} or, if browsers reach this site by {theirs}, "
        "correct PASSERELLE_ISSUER.",
        Message(
            "Our service URL is registered with %(registered)s. Please change it to %(needed)s, as above.",
            {"registered": theirs, "needed": ours},
        ),
    )


def is_same_service(location: str, service: str) -> bool:
    """Return whether a redirect leads to a service URL. The query is ignored, because servers re-encode it."""
    try:
        there, ours = urlsplit(location), urlsplit(service)
        return there.path == ours.path and (there.scheme, there.netloc.lower()) == (ours.scheme, ours.netloc.lower())
    except ValueError:
        return False
