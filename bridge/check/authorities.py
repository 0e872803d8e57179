"""Files with the certificates of authorities: whether one can be used, what is in it, and trusting by it."""

from __future__ import annotations

import ssl
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificates

from bridge.check.certificates import Certificate, read_certificate
from bridge.settings import describe_read_error


def fault_of_ca_file(file: Path) -> str | None:
    """Why a file with authorities cannot be used."""
    try:
        trusting(file, alone=True)
    except ssl.SSLError:
        return "it holds no certificate in PEM form"
    except OSError as error:
        return describe_read_error(error)
    return None


def certificates_in(file: Path) -> list[Certificate]:
    """Those of a PEM file; none when it cannot be read, which is told elsewhere."""
    try:
        loaded = load_pem_x509_certificates(file.read_bytes())
    except (OSError, ValueError):
        return []
    read = [read_certificate(one.public_bytes(Encoding.DER)) for one in loaded]
    return [certificate for certificate in read if certificate is not None]


def trusting(ca_file: Path | None, *, alone: bool) -> ssl.SSLContext:
    """The system's authorities, or those of a file, alone or beside them.

    :raises OSError: when the file cannot be used (`ssl.SSLError` when it holds no PEM)
    """
    if ca_file is None:
        return ssl.create_default_context()
    context = ssl.create_default_context(cafile=str(ca_file))
    if not alone:
        context.load_default_certs()
        # Our own certificate may be in it, without the authority that issued it.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    # As in a sign-in: home-made authorities often lack the extensions that Python 3.13 demands further.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
