"""Validation responses in JSON and SAML, and a parser call for any format."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from bridge.cas.protocol import ValidatedTicket
from bridge.cas.response import parse_validation

SERVICE = "https://auth.localhost/cas/callback?state=Zm9v_-1"
NOW = 1_790_000_000.0
"""2026-09-21T14:13:20Z."""


def parse_response(body: bytes, *, service: str = SERVICE, now: float = NOW, content_type: str = "") -> ValidatedTicket:
    """Parse a response as the bridge does."""
    return parse_validation(body, service=service, now=now, content_type=content_type)


def moment(seconds: float) -> str:
    """Format a time as in SAML."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def json_response(**response: Any) -> bytes:
    """Return a serviceResponse in JSON."""
    return json.dumps({"serviceResponse": response}).encode()


def json_success(user: Any = "alice", **inside: Any) -> bytes:
    """Return a success in JSON, with further members."""
    return json_response(authenticationSuccess={"user": user, **inside})


def soap(inside: str, header: str = "<SOAP-ENV:Header/>") -> bytes:
    """Return an envelope around any XML."""
    return (
        '<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/">'
        f"{header}<SOAP-ENV:Body>{inside}</SOAP-ENV:Body></SOAP-ENV:Envelope>"
    ).encode()


def saml_response(inside: str, status: str = '<StatusCode Value="samlp:Success"/>') -> bytes:
    """Return a SAML response around any XML."""
    return soap(
        '<Response xmlns="urn:oasis:names:tc:SAML:1.0:protocol" xmlns:samlp="urn:oasis:names:tc:SAML:1.0:protocol" '
        f'MajorVersion="1" MinorVersion="1" ResponseID="_r"><Status>{status}</Status>{inside}</Response>'
    )


def assertion(inside: str, conditions: str | None = None) -> str:
    """Return an assertion around any XML."""
    return (
        '<Assertion xmlns="urn:oasis:names:tc:SAML:1.0:assertion" AssertionID="_a" Issuer="localhost" '
        f'MajorVersion="1" MinorVersion="1">{conditions_of() if conditions is None else conditions}{inside}</Assertion>'
    )


def conditions_of(audience: str = SERVICE, begins: float | None = NOW, ends: float | None = NOW + 30) -> str:
    """Return conditions; a time of None is omitted."""
    times = [f'NotBefore="{moment(begins)}"'] if begins is not None else []
    times += [f'NotOnOrAfter="{moment(ends)}"'] if ends is not None else []
    return (
        f"<Conditions {' '.join(times)}><AudienceRestrictionCondition><Audience>\n {escape(audience)}\n</Audience>"
        "</AudienceRestrictionCondition></Conditions>"
    )


def subject(user: str = "alice") -> str:
    """Return the subject of a statement."""
    return (
        f"<Subject><NameIdentifier>{user}</NameIdentifier><SubjectConfirmation><ConfirmationMethod>"
        "urn:oasis:names:tc:SAML:1.0:cm:artifact</ConfirmationMethod></SubjectConfirmation></Subject>"
    )


def authenticated(inside: str | None = None, instant: float = NOW - 5) -> str:
    """Return an authentication statement."""
    return (
        f'<AuthenticationStatement AuthenticationInstant="{moment(instant)}" '
        f'AuthenticationMethod="urn:oasis:names:tc:SAML:1.0:am:password">{inside or subject()}'
        "</AuthenticationStatement>"
    )


def attributed(attributes: Mapping[str, Sequence[str]], user: str = "alice") -> str:
    """Return an attribute statement."""
    listed = "".join(
        f'<Attribute AttributeName="{escape(name)}" AttributeNamespace="http://www.ja-sig.org/products/cas/">'
        + "".join(f"<AttributeValue>{escape(value)}</AttributeValue>" for value in values)
        + "</Attribute>"
        for name, values in attributes.items()
    )
    return f"<AttributeStatement>{subject(escape(user))}{listed}</AttributeStatement>"


def saml_signed_in(user: str, attributes: Mapping[str, Sequence[str]], *, service: str, now: float) -> bytes:
    """Return a SAML 1.1 success as of Apereo and django-cas-server: two statements that repeat their subject."""
    statements = attributed(attributes, user) + authenticated(subject(escape(user)), now)
    return saml_response(assertion(statements, conditions_of(service, now, now + 30)))


def saml_failure(message: str, code: str = "samlp:RequestDenied") -> bytes:
    """Return a SAML 1.1 failure."""
    told = f"<StatusMessage>{escape(message)}</StatusMessage>"
    return saml_response("", f'<StatusCode Value="{code}"/>{told}')
