"""Certificates, CA files and TLS contexts.

A certificate that is parsed here may come from an unverified connection: it is described, never trusted.
"""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID, NameOID

from bridge.check.findings import printable
from bridge.settings import describe_read_error


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The facts of a certificate that findings need."""

    subject: str
    issuer: str
    names: tuple[str, ...]  # host names and IP addresses (subject alternative names)
    begins: float  # Unix seconds
    ends: float  # Unix seconds

    @property
    def is_self_signed(self) -> bool:
        """Return whether subject and issuer have the same name; the signature is not verified."""
        return self.subject == self.issuer


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustConfig:
    """The authorities that a certificate was verified with, and who owns the certificate."""

    owner: str  # name for sentences, such as "CAS"
    setting: str  # the setting that names a CA file
    now: float  # Unix seconds
    ca_file: Path | None = None
    is_ours: bool = False  # whether the administrator of the bridge can replace the certificate


def parse_certificate(der: bytes) -> Certificate | None:
    """Parse a DER certificate; return None if it is malformed."""
    try:
        parsed = x509.load_der_x509_certificate(der)
        return Certificate(
            subject=_display_name(parsed.subject),
            issuer=_display_name(parsed.issuer),
            names=_alternative_names(parsed),
            begins=parsed.not_valid_before_utc.timestamp(),
            ends=parsed.not_valid_after_utc.timestamp(),
        )
    except (ValueError, TypeError, x509.DuplicateExtension):
        return None


def _display_name(name: x509.Name) -> str:
    for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.ORGANIZATION_NAME):
        if found := name.get_attributes_for_oid(kind):
            return printable(str(found[0].value))
    return printable(name.rfc4514_string()) or "(nameless)"


def _alternative_names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        extension = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    except x509.ExtensionNotFound:
        return ()
    assert isinstance(extension.value, x509.SubjectAlternativeName)  # noqa: S101  the OID says so; for mypy
    hosts = extension.value.get_values_for_type(x509.DNSName)
    return tuple(printable(name) for name in (*hosts, *map(str, extension.value.get_values_for_type(x509.IPAddress))))


def ca_file_error(file: Path) -> str | None:
    """Return why a CA file cannot be used, or None."""
    try:
        tls_context(file, is_exclusive=True)
    except ssl.SSLError:
        return "it holds no certificate in PEM form"
    except OSError as error:
        return describe_read_error(error)
    return None


def read_certificates(file: Path) -> list[Certificate]:
    """Return the certificates of a PEM file; none if it cannot be read."""
    try:
        loaded = x509.load_pem_x509_certificates(file.read_bytes())
    except (OSError, ValueError):
        return []
    parsed = [parse_certificate(one.public_bytes(Encoding.DER)) for one in loaded]
    return [certificate for certificate in parsed if certificate is not None]


@cache
def tls_context(ca_file: Path | None, *, is_exclusive: bool, verifies: bool = True) -> ssl.SSLContext:
    """Return a TLS context, the same one for the same arguments, because reading the authorities takes 20 ms.

    Args:
        ca_file: PEM file with authorities; None for the system's.
        is_exclusive: Whether the file replaces the system's authorities instead of extending them.
        verifies: Whether certificates are verified.

    Raises:
        OSError: If the file cannot be used; `ssl.SSLError` if it holds no PEM.
    """
    context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    if ca_file and not is_exclusive:
        context.load_default_certs()
        # The file may hold the server's own certificate without the authority that issued it.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if ca_file:
        # Same as the CAS client: private authorities often lack the extensions that Python 3.13 requires.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not verifies:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def format_date(moment: float) -> str:
    """Return the UTC date of a time in Unix seconds."""
    try:
        return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d}"
    except (OverflowError, ValueError, OSError):
        return "a date outside the calendar"
