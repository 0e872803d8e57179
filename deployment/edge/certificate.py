"""Validation of certificate and key, and self-signed certificates. Only `read_file` accesses the disk."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SELF_SIGNED_LIFETIME = timedelta(days=397)  # the longest that browsers accept
RENEWAL_MARGIN = timedelta(days=30)
CLOCK_SKEW = timedelta(hours=1)


class EdgeError(Exception):
    """A configuration error; the message names the fault, its place and the remedy."""


def read_file(path: Path) -> bytes:
    """Read a required file."""
    try:
        return path.read_bytes()
    except IsADirectoryError:
        # Docker creates a directory for a missing bind-mounted file.
        raise EdgeError(f"{path} is a directory, not a file: remove it and put the file there.") from None
    except OSError as error:
        raise EdgeError(
            f"{path} cannot be read ({error.strerror}): check that it exists and that this user may read it."
        ) from None


def check_pair(
    cert_pem: bytes, key_pem: bytes, *, names: tuple[Path, Path], hosts: Iterable[str], now: datetime
) -> datetime:
    """Reject a pair that browsers or Traefik would reject.

    Returns:
        The end of its validity.

    Raises:
        EdgeError: The pair is unusable.
    """
    cert_name, key_name = names
    chain = parse_chain(cert_pem, cert_name)
    check_key_matches(parse_key(key_pem, key_name), chain, cert_name, key_name)
    leaf = chain[0]
    check_validity(leaf, cert_name, now)
    check_hosts(leaf, cert_name, hosts)
    return leaf.not_valid_after_utc


def parse_chain(pem: bytes, name: Path) -> list[x509.Certificate]:
    """Return all certificates of a file, the server's own first."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise EdgeError(
            f"{name} contains no PEM certificate: it must contain '-----BEGIN CERTIFICATE-----'; "
            "convert a DER file with 'openssl x509 -inform der'."
        ) from None


def parse_key(pem: bytes, name: Path) -> PrivateKeyTypes:
    """Return the private key of a file."""
    try:
        return serialization.load_pem_private_key(pem, password=None)
    except TypeError:
        raise EdgeError(
            f"{name} is encrypted with a passphrase, which the start cannot enter: "
            "remove the passphrase ('openssl pkey -in … -out …')."
        ) from None
    except ValueError:
        raise EdgeError(
            f"{name} contains no PEM private key: it must contain '-----BEGIN PRIVATE KEY-----' or similar."
        ) from None


def check_key_matches(key: PrivateKeyTypes, chain: list[x509.Certificate], cert_name: Path, key_name: Path) -> None:
    """Check that the key belongs to the first certificate."""
    key_bytes = public_bytes(key.public_key())
    matching = [position for position, cert in enumerate(chain) if public_bytes(cert.public_key()) == key_bytes]
    if not matching:
        raise EdgeError(f"{key_name} is not the key of the certificate in {cert_name}: provide a matching pair.")
    if matching[0] != 0:
        raise EdgeError(
            f"{cert_name} lists the server's certificate as number {matching[0] + 1}: "
            "put it first and the certificates of its issuers after it."
        )


def check_validity(leaf: x509.Certificate, name: Path, now: datetime) -> None:
    """Check the validity period."""
    if leaf.not_valid_after_utc <= now:
        raise EdgeError(f"{name} expired on {leaf.not_valid_after_utc:%Y-%m-%d}: renew it and start again.")
    if leaf.not_valid_before_utc > now:
        raise EdgeError(
            f"{name} is valid only from {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC: "
            "check this machine's clock, or wait until then."
        )


def check_hosts(leaf: x509.Certificate, name: Path, hosts: Iterable[str]) -> None:
    """Check that the certificate covers every public host."""
    covered = alternative_names(leaf)
    missing = [host for host in hosts if not covers(covered, host)]
    listed = ", ".join(sorted(covered)) or "no name"
    if missing:
        raise EdgeError(
            f"{name} does not cover {', '.join(missing)} (only {listed}): "
            "request it for every host of this deployment, as subject alternative names."
        )


def still_serves(cert_pem: bytes, key_pem: bytes, *, hosts: Iterable[str], now: datetime) -> bool:
    """Return whether a self-signed pair can stay: it covers exactly these hosts and does not expire soon."""
    names = (Path("server.crt"), Path("server.key"))
    hosts = tuple(hosts)
    try:
        until = check_pair(cert_pem, key_pem, names=names, hosts=hosts, now=now)
        leaf = parse_chain(cert_pem, names[0])[0]
    except EdgeError:
        return False
    return leaf.issuer == leaf.subject and alternative_names(leaf) == set(hosts) and until - now > RENEWAL_MARGIN


def self_signed_pair(hosts: tuple[str, ...], *, now: datetime) -> tuple[bytes, bytes, datetime]:
    """Create a self-signed certificate for tests and for hosts without a public name.

    There is no private authority, because its key would be on this disk: browsers that trusted it once would trust
    everything that it signs later.

    Returns:
        Certificate (PEM), key (PEM) and the end of its validity.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:64])])
    until = now + SELF_SIGNED_LIFETIME
    leaf = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(until)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return leaf.public_bytes(serialization.Encoding.PEM), key_pem, until


def alternative_names(leaf: x509.Certificate) -> set[str]:
    """Return the subject alternative names; browsers ignore the common name."""
    try:
        extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return set()
    return {name.lower() for name in extension.value.get_values_for_type(x509.DNSName)}


def covers(names: set[str], host: str) -> bool:
    """Return whether a certificate for these names covers the host; a wildcard matches one label."""
    return host in names or f"*.{host.partition('.')[2]}" in names


def public_bytes(key: object) -> bytes:
    """Return a public key in a comparable form."""
    return key.public_bytes(  # type: ignore[attr-defined, no-any-return]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
