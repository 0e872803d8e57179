"""CAS endpoints and the requests to them, for each protocol version."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from html import escape
from typing import Self
from urllib.parse import quote, urlencode

from bridge.settings import Settings

VALIDATE_PATHS: Mapping[str, str] = {
    "3.0": "/p3/serviceValidate",
    "2.0": "/serviceValidate",
    "1.0": "/validate",
    "saml1.1": "/samlValidate",
}
_XML, _SAML = "text/xml, application/xml", "text/xml, application/soap+xml"
_ACCEPT: Mapping[str, str] = {"1.0": "text/plain, */*;q=0.1", "saml1.1": _SAML, "json": f"application/json, {_XML}"}
_SOAP_HEADERS: Mapping[str, str] = {
    "Content-Type": "text/xml; charset=utf-8",
    "SOAPAction": "http://www.oasis-open.org/committees/security",  # SAML 1.1 bindings §3.1.2.1
}
# CAS 3.0 §4.2.1. Keep the empty header: at least one server finds the body by its position.
_SOAP_REQUEST = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/"><SOAP-ENV:Header/><SOAP-ENV:Body>'
    '<samlp:Request xmlns:samlp="urn:oasis:names:tc:SAML:1.0:protocol" MajorVersion="1" MinorVersion="1" '
    'RequestID="{request_id}" IssueInstant="{instant}">'
    "<samlp:AssertionArtifact>{ticket}</samlp:AssertionArtifact></samlp:Request></SOAP-ENV:Body></SOAP-ENV:Envelope>"
)


@dataclass(frozen=True, slots=True)
class ValidationRequest:
    """An HTTP request that validates a ticket. It consumes the ticket."""

    url: str = field(repr=False)
    headers: Mapping[str, str]
    body: bytes | None = field(default=None, repr=False)
    """Sent by POST; None for a GET request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CasEndpoints:
    """The endpoints of a CAS server, and the protocol to use there."""

    login: str
    """Login page, as browsers reach it."""
    logout: str
    """Logout page, as browsers reach it."""
    validate: str
    """Validation endpoint, as this server reaches it."""
    protocol: str = "3.0"
    """A key of `VALIDATE_PATHS`."""
    format: str = "xml"
    """`json` requests JSON; only for protocols 3.0 and 2.0."""
    login_parameters: Mapping[str, str] = field(default_factory=dict)
    validate_parameters: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_base_url(cls, base: str, *, internal: str | None = None, protocol: str = "3.0") -> Self:
        """Return the default endpoints below a base URL; `internal` replaces it for requests of this server."""
        # Concatenated, because `urljoin` would drop the path of https://sso.example.org/cas.
        public, private = base.rstrip("/"), (internal or base).rstrip("/")
        validate = private + VALIDATE_PATHS[protocol]
        return cls(login=f"{public}/login", logout=f"{public}/logout", validate=validate, protocol=protocol)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
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
        """Return the URL of the login page. `renew` wins over `gateway`: both together are undefined (§2.1.1)."""
        parameters = {"service": service}
        if renew or gateway:
            parameters["renew" if renew else "gateway"] = "true"
        if locale:
            parameters["locale"] = locale
        return _with_query(self.login, {**parameters, **self.login_parameters, **parameters})

    def logout_url(self, service: str | None = None) -> str:
        """Return the URL of the logout page; CAS may redirect to `service` afterwards."""
        return self.logout if service is None else _with_query(self.logout, {"service": service})

    def validation_request(
        self, service: str, ticket: str, *, renew: bool, now: float, request_id: str
    ) -> ValidationRequest:
        """Build the request that validates a ticket; `request_id` holds unguessable letters and digits for SAML."""
        is_saml = self.protocol == "saml1.1"
        parameters = {"TARGET": service} if is_saml else {"service": service, "ticket": ticket}
        if renew:  # repeated here, because users can remove it from the login URL
            parameters["renew"] = "true"
        if self.format == "json":
            parameters["format"] = "JSON"
        url = _with_query(self.validate, {**parameters, **self.validate_parameters, **parameters})
        accept = _ACCEPT.get("json" if self.format == "json" else self.protocol, _XML)
        if not is_saml:
            return ValidationRequest(url, {"Accept": accept})
        instant = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        body = _SOAP_REQUEST.format(request_id=f"_{request_id}", instant=instant, ticket=escape(ticket))
        return ValidationRequest(url, {"Accept": accept, **_SOAP_HEADERS}, body.encode())


def _with_query(url: str, parameters: Mapping[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(parameters, quote_via=quote, safe='')}"
