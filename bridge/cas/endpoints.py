"""Where CAS is, and what it is asked there, in each of its protocols. Pure.

Specification: https://apereo.github.io/cas/development/protocol/CAS-Protocol-Specification.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from html import escape
from urllib.parse import quote, urlencode

from bridge.settings import Settings

VALIDATE_PATHS: Mapping[str, str] = {
    "3.0": "/p3/serviceValidate",
    "2.0": "/serviceValidate",
    "1.0": "/validate",
    "saml1.1": "/samlValidate",
}
_XML, _SAML = "text/xml, application/xml", "text/xml, application/soap+xml"
_ACCEPTED: Mapping[str, str] = {"1.0": "text/plain, */*;q=0.1", "saml1.1": _SAML, "json": f"application/json, {_XML}"}
_SOAP_HEADERS: Mapping[str, str] = {
    "Content-Type": "text/xml; charset=utf-8",
    "SOAPAction": "http://www.oasis-open.org/committees/security",  # SAML 1.1 bindings §3.1.2.1
}
# CAS 3.0 §4.2.1. The empty header stays: a server that we know finds the body by its position.
_SOAP_REQUEST = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/"><SOAP-ENV:Header/><SOAP-ENV:Body>'
    '<samlp:Request xmlns:samlp="urn:oasis:names:tc:SAML:1.0:protocol" MajorVersion="1" MinorVersion="1" '
    'RequestID="{request_id}" IssueInstant="{instant}">'
    "<samlp:AssertionArtifact>{ticket}</samlp:AssertionArtifact></samlp:Request></SOAP-ENV:Body></SOAP-ENV:Envelope>"
)


@dataclass(frozen=True, slots=True)
class ValidationRequest:
    """One HTTP request to CAS, which spends a ticket."""

    url: str = field(repr=False)
    headers: Mapping[str, str]
    body: bytes | None = field(default=None, repr=False)
    """Sent by POST; without one the request is a GET."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CasEndpoints:
    """The addresses of one CAS server, and how it is spoken to."""

    login: str
    """The sign-in page, for browsers."""
    logout: str
    """The logout page, for browsers."""
    validate: str
    """Where tickets are validated, for this server."""
    protocol: str = "3.0"
    """A key of `VALIDATE_PATHS`."""
    format: str = "xml"
    """`json` asks for that of a server of protocol 3.0 or 2.0."""
    login_parameters: Mapping[str, str] = field(default_factory=dict)
    validate_parameters: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_base_url(cls, base: str, *, internal: str | None = None, protocol: str = "3.0") -> CasEndpoints:
        """The usual ones below a base URL, as text: joined as URLs, `https://sso.example.org/cas` would lose its path.

        :param internal: the base for this server, where it differs from the browsers'
        """
        browsers, ours = base.rstrip("/"), (internal or base).rstrip("/")
        validate = ours + VALIDATE_PATHS[protocol]
        return cls(login=f"{browsers}/login", logout=f"{browsers}/logout", validate=validate, protocol=protocol)

    @classmethod
    def from_settings(cls, settings: Settings) -> CasEndpoints:
        """Return the configured endpoints: those below the base URLs, unless a setting overrides one."""
        default = cls.from_base_url(
            settings.cas_url, internal=settings.cas_internal_url, protocol=settings.cas_protocol
        )
        return replace(
            default,
            login=settings.cas_login_url or default.login,
            logout=settings.cas_logout_url or default.logout,
            validate=settings.cas_validate_url or default.validate,
            format=settings.cas_format,
            login_parameters=settings.cas_login_parameters,
            validate_parameters=settings.cas_validate_parameters,
        )

    def login_url(self, service: str, *, renew: bool = False, gateway: bool = False, locale: str | None = None) -> str:
        """Where the browser goes to sign in. `renew` and `gateway` together are undefined (§2.1.1): renew wins."""
        asked = {"service": service}
        if renew or gateway:
            asked["renew" if renew else "gateway"] = "true"
        if locale:
            asked["locale"] = locale
        return _with(self.login, {**asked, **self.login_parameters, **asked})

    def logout_url(self, service: str | None = None) -> str:
        """Where the browser goes to sign out. Without `service` CAS leads nowhere afterwards; with it, it may."""
        return self.logout if service is None else _with(self.logout, {"service": service})

    def validation_request(
        self, service: str, ticket: str, *, renew: bool, now: float, request_id: str
    ) -> ValidationRequest:
        """Ask whom a ticket stands for. `renew` is asked here too: a user can delete it from the login URL.

        :param service: the very string that was sent to the sign-in page
        :param now: Unix seconds
        :param request_id: fresh and unguessable, of letters and digits; SAML alone sends it
        """
        is_saml = self.protocol == "saml1.1"
        asked = {"TARGET": service} if is_saml else {"service": service, "ticket": ticket}
        if renew:
            asked["renew"] = "true"
        if self.format == "json":
            asked["format"] = "JSON"
        url = _with(self.validate, {**asked, **self.validate_parameters, **asked})
        accepted = _ACCEPTED.get("json" if self.format == "json" else self.protocol, _XML)
        if not is_saml:
            return ValidationRequest(url, {"Accept": accepted})
        instant = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        body = _SOAP_REQUEST.format(request_id=f"_{request_id}", instant=instant, ticket=escape(ticket))
        return ValidationRequest(url, {"Accept": accepted, **_SOAP_HEADERS}, body.encode())


def _with(url: str, parameters: Mapping[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(parameters, quote_via=quote, safe='')}"
