"""Probes of the CAS login page, and findings about the registration of our service URL or of a similar one."""

import html
import re
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import urlsplit

from bridge.cas.endpoints import CasEndpoints
from bridge.cas.protocol import service_url
from bridge.check.findings import Finding, fault, note, ok, printable, skipped, warning
from bridge.check.probe import Failure, ProbeClient, Response, Target
from bridge.check.protocols import without_query
from bridge.check.registration import Registration
from passerelle_common.i18n import Message

# The top-level domain `invalid` never exists (RFC 6761 §6.4), so no registry holds this URL.
UNREGISTERED_SERVICE = "https://passerelle-check.invalid/cas/callback"
HTML = {"Accept": "text/html"}
_ID = "cas.service"
_fault, _note = partial(fault, _ID), partial(note, _ID)
skipped_service = partial(skipped, _ID, "The registration of our service URL")
_PASSWORD_FIELD = re.compile(rb"<input[^>]*\btype\s*=\s*[\"']?password", re.I)
# The footer of the login page.
_JASIG_4_2 = re.compile(r"Central Authentication Service (4\.2[0-9.]*)")
# LemonLDAP::NG writes only the number of a message, and its scripts add the text.
_CLASS = re.compile(rb"\bclass\s*=\s*(?:\"[^\"<>]*|'[^'<>]*)", re.I)
_ERROR = re.compile(rb"error|alert|danger|fail", re.I)
_INVISIBLE = re.compile(rb"<(script|style)\b.*?</\1\s*>|<!--.*?-->|<[^>]*>", re.S | re.I)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginPage:
    """The login page of CAS at one address."""

    target: Target
    addresses: CasEndpoints
    client: ProbeClient
    registration: Registration

    def request(self, service: str | None) -> Response | Failure:
        """Request the page with `gateway=true` (§2.1.1) for a service URL, or without any service."""
        target = replace(self.target, url=self.addresses.login)
        url = None if service is None else self.addresses.login_url(service, gateway=True)
        return self.client.send(target, url, headers=HTML)

    def evaluate(self, ours: Response | Failure) -> Finding:
        """Evaluate whether our service URL is registered."""
        if isinstance(ours, Failure):
            return skipped_service(f"the login page failed ({ours.detail})")
        # Apereo CAS 7 fails with 500 for an unregistered service, so compare that with no service.
        other = self.request(None if ours.status >= 500 else UNREGISTERED_SERVICE)
        is_rejected = is_login_form(ours) and is_service_rejected(
            ours, self.registration.service, other, self.request(None)
        )
        found = None if is_rejected else evaluate_login_page(ours, other, self.registration)
        return found or self._find_similar() or not_registered(ours, self.registration)

    def _find_similar(self) -> Finding | None:
        """Find a registration that almost matches our service URL."""
        service, pattern = self.registration.service, self.registration.pattern
        bare = service_url(self.registration.issuer, None)
        if bare != service and self._is_registered(bare):
            return _fault(
                f"CAS knows {bare}, but not {service}.",
                "Our service URL is registered without the query of every sign-in. CAS issues no tickets for it.",
                f"Ask the CAS administrator to end the pattern in (\\?.*)? ({pattern}). If that is impossible, set "
                "PASSERELLE_CAS_SERVICE_STATE=cookie, which protects less.",
                Message(
                    "Our service URL is registered without its query, so CAS rejects %(service)s. Please end the "
                    "pattern in (\\?.*)? as above.",
                    {"service": service},
                ),
            )
        ours, _, rest = service.partition("://")
        theirs = "http" if ours == "https" else "https"
        if self._is_registered(f"{theirs}://{rest}"):
            return _fault(
                f"CAS knows {theirs}://{rest}, but not {service}.",
                f"Our service URL is registered as {theirs}, but it is {ours}. CAS issues no tickets for it.",
                f"Have {pattern} registered. If browsers reach this site by {theirs}, correct PASSERELLE_ISSUER.",
                Message(
                    "Our service URL is registered with %(registered)s. Please change it to %(needed)s, as above.",
                    {"registered": theirs, "needed": ours},
                ),
            )
        return None

    def _is_registered(self, service: str) -> bool:
        return _redirects_to(self.request(service), service)


def evaluate_renew(plain: Response | Failure) -> list[Finding]:
    """Report a release that rejects `renew` at validation, by its login page without any service."""
    if isinstance(plain, Failure) or not (found := _JASIG_4_2.search(_visible_text(plain, ""))):
        return []
    return [
        warning(
            "cas.renew",
            f"CAS is release {found[1].rstrip('.')}, which rejects renew at validation while a CAS session exists.",
            "prompt=login, max_age and a sign-in after a logout here can ask for the password twice and then fail.",
            "Have CAS upgraded to 5 or later. Until then, set PASSERELLE_CAS_LOGOUT=return, or none if CAS does not "
            "come back after a logout, and request neither prompt=login nor max_age in applications.",
        )
    ]


def is_service_rejected(ours: Response, service: str, other: Response | Failure, plain: Response | Failure) -> bool:
    """Return whether a login form rejects our service URL, by its text or by the class of an error message.

    Some servers ask for the password first and show an error beside the form.
    """
    if isinstance(other, Failure) or isinstance(plain, Failure):
        return False
    return _messages(ours, service) == _messages(other, UNREGISTERED_SERVICE) != _messages(plain, "")


def _messages(page: Response, service: str) -> tuple[str, list[bytes]]:
    return _visible_text(page, service), [found for found in _CLASS.findall(page.body) if _ERROR.search(found)]


def _visible_text(page: Response, service: str) -> str:
    text = " ".join(html.unescape(_INVISIBLE.sub(b" ", page.body).decode("utf-8", "replace")).split())
    return text.replace(service, "…") if service else text


def evaluate_login_page(ours: Response, other: Response | Failure, registration: Registration) -> Finding | None:
    """Evaluate whether our service URL is registered; return None if it is not, or only a similar one.

    CAS redirects at once to a registered service if `gateway=true` forbids it to ask the user (§2.1.1).

    Args:
        ours: The login page's response for our service URL.
        other: Its response for `UNREGISTERED_SERVICE`; without any service if ours failed with a 5xx status.
        registration: What should be registered.
    """
    if ours.is_redirect:
        return _evaluate_redirect(ours, other, registration)
    if ours.status == 429:
        return skipped_service("CAS limits our requests (status 429)")
    if ours.status == 404:
        seen = f"There is no login page at {without_query(ours.url)} (status 404)."
        do = "Correct PASSERELLE_CAS_URL (the address before /login), or set PASSERELLE_CAS_LOGIN_URL."
        return _fault(seen, "The bridge redirects users to a page that does not exist.", do)
    if ours.status >= 500 and not (isinstance(other, Response) and other.status == 200):
        return _fault(
            f"The login page of CAS failed (status {ours.status}).",
            "Users cannot sign in until this is fixed.",
            "Notify the CAS administrator; the log of CAS holds the reason.",
            Message("Your login page fails with status %(status)s for our service URL.", {"status": ours.status}),
        )
    return _evaluate_form(ours, other, registration.service)


def _evaluate_form(ours: Response, other: Response | Failure, service: str) -> Finding | None:
    if _differs_for_unregistered(ours, other):
        seen = "CAS shows its login page for our service URL and rejects an unknown one."
        return _note(seen, "Ours is registered. This server does not support gateway=true, or prompt=none.")
    if is_login_form(ours):
        seen = f"CAS shows its login form for {service}, although gateway=true forbids it."
        means = "The check cannot see whether our service URL is registered; prompt=none will not work."
        return warning(_ID, seen, means, "Try a sign-in.")
    return None


def _evaluate_redirect(ours: Response, other: Response | Failure, registration: Registration) -> Finding:
    if not is_same_service(ours.location, registration.service):
        return warning(
            _ID,
            f"The login page of CAS redirects to {printable(without_query(ours.location))}.",
            "Browsers follow this redirect. The check does not, so it cannot see the registration.",
            "If CAS has moved there, correct PASSERELLE_CAS_URL. If that is another identity provider, try a sign-in.",
        )
    if _redirects_to(other, UNREGISTERED_SERVICE):
        return _note(
            "CAS redirects browsers to our service URL, but also to any other URL.",
            "It accepts every service, or checks later, so this proves no registration. Try a sign-in.",
            f"Have our service URL registered for attributes and single logout: {registration.pattern}",
        )
    return ok(_ID, f"Our service URL is registered: CAS redirects browsers to {without_query(registration.service)}.")


def _differs_for_unregistered(ours: Response, other: Response | Failure) -> bool:
    if ours.status != 200 or isinstance(other, Failure):
        return False
    return 400 <= other.status < 500 or (other.status == 200 and is_login_form(ours) and not is_login_form(other))


def is_login_form(response: Response) -> bool:
    """Return whether a page asks for a password."""
    return response.status == 200 and _PASSWORD_FIELD.search(response.body) is not None


def not_registered(ours: Response, registration: Registration) -> Finding:
    """Report that our service URL is not registered."""
    return _fault(
        f"CAS shows a page (status {ours.status}) instead of a redirect to {registration.service}.",
        "Our service URL is not registered. CAS issues no tickets for it and shows users an error.",
        f"Send `passerelle check --message` to the CAS administrator; the pattern is {registration.pattern}",
        Message("Our service URL is not registered: CAS shows an error (status %(status)s).", {"status": ours.status}),
    )


def _redirects_to(response: Response | Failure, service: str) -> bool:
    return isinstance(response, Response) and response.is_redirect and is_same_service(response.location, service)


def is_same_service(location: str, service: str) -> bool:
    """Return whether a redirect leads to a service URL. The query is ignored, because servers re-encode it."""
    try:
        there, ours = urlsplit(location), urlsplit(service)
        return there.path == ours.path and (there.scheme, there.netloc.lower()) == (ours.scheme, ours.netloc.lower())
    except ValueError:
        return False
