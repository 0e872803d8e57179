"""The service registration at CAS, and the request for it to the CAS administrator. Pure."""

import json
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from bridge.cas.protocol import service_url
from bridge.check.attributes import RequestedAttribute
from bridge.check.findings import Finding
from bridge.settings import Settings
from passerelle_common.i18n import gettext_noop, translate

_SPECIAL, _ESCAPED = re.compile(r"([.^$*+?()\[\]{}|\\])"), r"\\\1"
_SUBJECT = gettext_noop("Subject: registering %(host)s as a service in CAS")
_OR = gettext_noop(" or ")
_PURPOSES = {
    "sub": gettext_noop("the stable key of each user; required"),
    "preferred_username": gettext_noop("the user name; required"),
    "access": gettext_noop("decides which users may use an application"),
    "name": gettext_noop("the display name in applications"),
    "given_name": gettext_noop("the given name"),
    "family_name": gettext_noop("the family name"),
    "email": gettext_noop("the e-mail address"),
    "groups": gettext_noop("groups, for access rights"),
    "eduperson_affiliation": gettext_noop("student, staff and so on"),
    "eduperson_principal_name": gettext_noop("the name across institutions"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """The URLs that the CAS administrator registers for the bridge."""

    issuer: str
    state_in_cookie: bool = False  # whether the service URL has no query (`cas_service_state` = cookie)
    returns_from_logout: bool = False  # whether CAS redirects browsers back after a logout (`cas_logout` = return)

    @classmethod
    def from_settings(cls, settings: Settings) -> "Registration":
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


@dataclass(frozen=True, slots=True)
class RegistrationRequest:
    """The facts of a request to the CAS administrator."""

    registration: Registration
    cas_url: str
    attributes: Sequence[RequestedAttribute]
    findings: Sequence[Finding] = ()

    def text(self, language: str) -> str:
        """Return the whole message, ready to be sent."""

        def _(msgid: str, **facts: object) -> str:
            return _wrapped(translate(msgid, language, **facts))

        registration, issuer = self.registration, self.registration.issuer
        urls = [registration.pattern]
        kind = _("Service URL (a regular expression for the whole URL; the part after `?` varies)")
        if registration.state_in_cookie:
            urls = [service_url(issuer, None), *([f"{issuer}/logout/done"] if registration.returns_from_logout else [])]
            kind = _("Service URL, exactly this one")
        logout = _("Single logout: type BACK_CHANNEL, logout URL")
        reach = _("Your server must be able to reach this URL (POST) and must trust its certificate.")
        sections = [
            f"{kind}\n\n{_indented(*urls)}",
            f"{logout}\n\n{_indented(registration.logout_url)}\n\n   {reach}",
        ]
        if self.attributes:
            release = _("One of these names is enough for each. Please release all values if there are several.")
            title = _("Attributes to release to this service")
            sections.append(f"{title}\n\n{self._attribute_lines(language)}\n   {release}")
        if observed := [one.to_cas.translate(language) for one in self.findings if one.to_cas]:
            items = "\n".join(_wrapped(one, "     - ", "       ") for one in observed)
            sections.append(f"{_('Observed just now from our machine')}\n\n{items}")
        parts = [
            translate(_SUBJECT, language, host=urlsplit(issuer).netloc),
            _("Hello,"),
            _(
                "We run Passerelle at %(issuer)s. It signs users of OpenID Connect applications in at your CAS server, "
                "%(cas_url)s. It validates tickets like any CAS client and never sees a password. Please register it "
                "as follows.",
                issuer=issuer,
                cas_url=self.cas_url,
            ),
            *(f"{number}. {section}" for number, section in enumerate(sections, 1)),
            _(
                "For Apereo CAS with a JSON registry (before CAS 6.6 the class is "
                "org.apereo.cas.services.RegexRegisteredService; choose id and evaluationOrder as you need):"
            ),
            self._registered_service(),
            _("Thank you!"),
        ]
        return "\n\n".join(parts) + "\n"

    def _attribute_lines(self, language: str) -> str:
        names = [translate(_OR, language).join(attribute.names) for attribute in self.attributes]
        width = min(max(map(len, names)), 40)
        purposes = [translate(_PURPOSES.get(one.purpose, one.purpose), language) for one in self.attributes]
        return "".join(f"     - {name.ljust(width)}   {why}\n" for name, why in zip(names, purposes, strict=True))

    def _registered_service(self) -> str:
        """Return the entry for a JSON service registry, with all attribute names on one line."""
        names = list(dict.fromkeys(name for attribute in self.attributes for name in attribute.names))
        service = {
            "@class": "org.apereo.cas.services.CasRegisteredService",
            "serviceId": self.registration.pattern,
            "name": "Passerelle",
            "id": 1000,
            "evaluationOrder": 10,
            "logoutType": "BACK_CHANNEL",
            "logoutUrl": self.registration.logout_url,
            "attributeReleasePolicy": {
                "@class": "org.apereo.cas.services.ReturnAllowedAttributeReleasePolicy",
                "allowedAttributes": "(names)",
            },
        }
        return json.dumps(service, indent=2).replace('"(names)"', json.dumps(["java.util.ArrayList", names]))


def _indented(*lines: str) -> str:
    return "\n".join(f"       {line}" for line in lines)


def _wrapped(text: str, first: str = "", margin: str = "") -> str:
    return textwrap.fill(
        text, 88, initial_indent=first, subsequent_indent=margin, break_long_words=False, break_on_hyphens=False
    )
