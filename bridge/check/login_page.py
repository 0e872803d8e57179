"""Probes of the CAS login page that find out whether our service URL is registered, or a similar one."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, replace

from bridge.cas.endpoints import CasEndpoints
from bridge.cas.protocol import service_url
from bridge.check import registration as registrations
from bridge.check.findings import Finding
from bridge.check.probe import Failure, ProbeClient, Response, Target

HTML = {"Accept": "text/html"}
_INVISIBLE = re.compile(rb"<(script|style)\b.*?</\1\s*>|<!--.*?-->|<[^>]*>", re.S | re.I)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginPage:
    """The login page of CAS at one address."""

    target: Target
    addresses: CasEndpoints
    client: ProbeClient
    registration: registrations.Registration

    def request(self, service: str | None) -> Response | Failure:
        """Request the page with `gateway=true` (§2.1.1) for a service URL, or without any service."""
        target = replace(self.target, url=self.addresses.login)
        url = None if service is None else self.addresses.login_url(service, gateway=True)
        return self.client.send(target, url, headers=HTML)

    def evaluate(self, ours: Response | Failure) -> Finding:
        """Evaluate whether our service URL is registered."""
        registration = self.registration
        other = None
        if isinstance(ours, Response):
            # Apereo CAS 7 fails with 500 for an unregistered service, so compare that with no service.
            other = self.request(None if ours.status >= 500 else registrations.UNREGISTERED_SERVICE)
            if registrations.is_login_form(ours) and is_service_rejected(
                ours, registration.service, other, self.request(None)
            ):
                return self._find_similar() or registrations.not_registered(ours, registration)
        if registrations.seems_unregistered(ours, other) and (similar := self._find_similar()):
            return similar
        return registrations.evaluate_login_page(ours, other, registration)

    def _find_similar(self) -> Finding | None:
        """Find a registration that almost matches our service URL."""
        service = self.registration.service
        bare = service_url(self.registration.issuer, None)
        if bare != service and self._is_registered(bare):
            return registrations.registered_without_query(bare, self.registration)
        scheme, _, rest = service.partition("://")
        other_scheme = f"{'http' if scheme == 'https' else 'https'}://{rest}"
        if self._is_registered(other_scheme):
            return registrations.registered_with_other_scheme(other_scheme, self.registration)
        return None

    def _is_registered(self, service: str) -> bool:
        response = self.request(service)
        return (
            isinstance(response, Response)
            and response.is_redirect
            and registrations.is_same_service(response.location, service)
        )


def is_service_rejected(
    ours: Response, service: str, other: Response | Failure | None, plain: Response | Failure
) -> bool:
    """Return whether a login form rejects our service URL in its text.

    Some servers ask for the password first and show an error beside the form.
    """
    if not (isinstance(other, Response) and isinstance(plain, Response)):
        return False
    return (
        _visible_text(ours, service)
        == _visible_text(other, registrations.UNREGISTERED_SERVICE)
        != _visible_text(plain, "")
    )


def _visible_text(page: Response, service: str) -> str:
    text = " ".join(html.unescape(_INVISIBLE.sub(b" ", page.body).decode("utf-8", "replace")).split())
    return text.replace(service, "…") if service else text
