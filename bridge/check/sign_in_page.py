"""What CAS's sign-in page is asked: whether it would send browsers back to us, or only nearly to us."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, replace

from bridge.cas.endpoints import CasEndpoints
from bridge.cas.protocol import service_url
from bridge.check.asking import Asker
from bridge.check.findings import Finding
from bridge.check.probe import Answer, Place, Trouble
from bridge.check.registration import (
    NOT_REGISTERED,
    is_form,
    judge_service,
    judge_without_query,
    judge_wrong_scheme,
    leads_to,
    looks_unregistered,
    not_registered,
    service_pattern,
)

_AS_A_BROWSER = {"Accept": "text/html"}
_NOT_SHOWN = re.compile(rb"<(script|style)\b.*?</\1\s*>|<!--.*?-->|<[^>]*>", re.S | re.I)


def complains(ours: Answer, service: str, other: Answer | Trouble | None, plain: Answer | Trouble) -> bool:
    """Whether a sign-in form says what it says about an unknown address too, and does not say without any.

    Some servers ask for the password first, and tell beside the form that nobody will be led on.
    """
    if not (isinstance(other, Answer) and isinstance(plain, Answer)):
        return False
    said = _words(ours, service)
    return said == _words(other, NOT_REGISTERED) != _words(plain, "")


def _words(page: Answer, service: str) -> str:
    text = " ".join(html.unescape(_NOT_SHOWN.sub(b" ", page.body).decode("utf-8", "replace")).split())
    return text.replace(service, "…") if service else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """What of ours is registered at CAS, or should be."""

    issuer: str
    state_in_cookie: bool
    returns_from_logout: bool

    @property
    def service(self) -> str:
        """The service URL that is asked about, as a sign-in would have it."""
        return service_url(self.issuer, None if self.state_in_cookie else "passerelle-check")

    @property
    def pattern(self) -> str:
        """What to register."""
        return service_pattern(
            self.issuer, state_in_cookie=self.state_in_cookie, returns_from_logout=self.returns_from_logout
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInPage:
    """The page at one address.

    :param place: how that server is reached
    """

    place: Place
    addresses: CasEndpoints
    asker: Asker
    ours: Ours

    def answer_for(self, service: str | None) -> Answer | Trouble:
        """What the page says when it is told to ask the browser nothing (§2.1.1)."""
        place = replace(self.place, url=self.addresses.login)
        url = None if service is None else self.addresses.login_url(service, gateway=True)
        return self.asker.ask(place, url, headers=_AS_A_BROWSER)

    def cross_check(self, ours: Answer | Trouble) -> Answer | Trouble | None:
        """What it says about an unknown address, or about none where ours made it fail."""
        if isinstance(ours, Trouble):
            return None
        # Apereo 7 fails like this for a service that it does not know.
        return self.answer_for(None if ours.status >= 500 else NOT_REGISTERED)

    def judged(self, ours: Answer | Trouble) -> Finding:
        """Whether our address is registered."""
        other = self.cross_check(ours)
        if isinstance(ours, Answer) and is_form(ours):
            refuses = complains(ours, self.ours.service, other, self.answer_for(None))
            if not refuses:
                return judge_service("cas.service", ours, other, self.ours.service, self.ours.pattern)
            return self._nearly() or not_registered("cas.service", ours, self.ours.service, self.ours.pattern)
        if looks_unregistered(ours, other) and (nearly := self._nearly()):
            return nearly
        return judge_service("cas.service", ours, other, self.ours.service, self.ours.pattern)

    def _nearly(self) -> Finding | None:
        """Whether an address is registered that is not ours to the letter."""
        service, pattern, issuer = self.ours.service, self.ours.pattern, self.ours.issuer
        bare = service_url(issuer, None)
        if bare != service and self._knows(bare):
            return judge_without_query("cas.service", service, bare, pattern)
        scheme, _, rest = service.partition("://")
        other_scheme = f"{'http' if scheme == 'https' else 'https'}://{rest}"
        if self._knows(other_scheme):
            return judge_wrong_scheme("cas.service", service, other_scheme, pattern)
        return None

    def _knows(self, service: str) -> bool:
        answer = self.answer_for(service)
        return isinstance(answer, Answer) and answer.is_redirect and leads_to(answer.location, service)
