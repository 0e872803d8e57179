"""What a server's certificate says, and why it is not trusted. Pure.

What is read here was often received without verification: it is described, and never relied on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtensionOID, NameOID

from bridge.check.findings import Finding, Told, duration, fault, listed, ok, plain, warning

EXPIRES_SOON_SECONDS = 14 * 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What matters of one."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    """The host names and addresses that it is for."""
    begins: float
    ends: float
    """Unix seconds, both."""

    @property
    def is_self_signed(self) -> bool:
        """By name, which is enough to describe it."""
        return self.subject == self.issuer


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What a server's certificate was compared with, and how it is configured."""

    whose: str
    """As in "CAS"."""
    setting: str
    """Where an authority's file is named."""
    now: float
    """Unix seconds."""
    ca_file: Path | None = None
    is_ours: bool = False
    """Whether it is for us to mend what is wrong with the certificate."""


def read_certificate(der: bytes) -> Certificate | None:
    """None when it cannot be read: then OpenSSL's own words have to do."""
    try:
        parsed = x509.load_der_x509_certificate(der)
        return Certificate(
            subject=_name(parsed.subject),
            issuer=_name(parsed.issuer),
            names=_names(parsed),
            begins=parsed.not_valid_before_utc.timestamp(),
            ends=parsed.not_valid_after_utc.timestamp(),
        )
    except (ValueError, TypeError, x509.DuplicateExtension):
        return None


def _name(name: x509.Name) -> str:
    for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.ORGANIZATION_NAME):
        if found := name.get_attributes_for_oid(kind):
            return plain(str(found[0].value))
    return plain(name.rfc4514_string()) or "(nameless)"


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        extension = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    except x509.ExtensionNotFound:
        return ()
    assert isinstance(extension.value, x509.SubjectAlternativeName)  # noqa: S101  the OID says so; for mypy
    hosts = extension.value.get_values_for_type(x509.DNSName)
    return tuple(plain(name) for name in (*hosts, *map(str, extension.value.get_values_for_type(x509.IPAddress))))


def judge_trusted(about: str, host: str, certificate: Certificate | None, trust: Trust) -> Finding:
    """Of a certificate that was verified: how long it will last."""
    by = f"by {trust.setting}" if trust.ca_file else "by this machine"
    if certificate is None:
        return ok(about, f"The certificate of {host} is trusted {by}.")
    left, day = certificate.ends - trust.now, day_of(certificate.ends)
    if left < EXPIRES_SOON_SECONDS:
        return warning(
            about,
            f"The certificate of {host} expires in {duration(left)}, on {day}.",
            "From then on nobody can sign in.",
            f"Have it renewed before that: it is {trust.whose}'s.",
            Told(
                f"The certificate of {host} expires on {day}; please renew it before then.",
                f"Le certificat de {host} expire le {day} ; merci de le renouveler avant.",
            ),
        )
    return ok(about, f"The certificate of {host} is trusted {by}, until {day}.")


def judge_untrusted(about: str, host: str, chain: Sequence[Certificate], openssl: str, trust: Trust) -> Finding:
    """Why it is not trusted, in the order in which the reasons are worth mending.

    :param chain: what the server sent, its own certificate first; empty when it could not be looked at
    :param openssl: its own sentence
    """
    if not chain:
        return _other(about, host, openssl, trust)
    leaf = chain[0]
    # First: to trust a stranger, or to have theirs renewed, would be bad advice.
    if not _is_for(host, leaf.names):
        return _for_another_host(about, host, leaf, trust)
    if trust.now > leaf.ends:
        return _expired(about, host, leaf, trust)
    if trust.now < leaf.begins:
        return fault(
            about,
            f"The certificate of {host} is valid only from {day_of(leaf.begins)} on.",
            "Either it is a future one, or this machine's clock is wrong.",
            "Compare `date -u` with the real time; if it is right, have the certificate replaced.",
        )
    if (
        "unable to get" in openssl
        or "self-signed" in openssl
        or "self signed" in openssl
        or "unable to verify" in openssl
    ):
        return _unknown_authority(about, host, chain, trust)
    return _other(about, host, openssl, trust)


def _is_for(host: str, names: Sequence[str]) -> bool:
    """As RFC 9525 §6.3 compares them: a star stands for one whole label, the first."""
    host = host.lower().rstrip(".")
    beyond = host.partition(".")[2]
    if beyond and not _address(host) and f"*.{beyond}" in [name.lower() for name in names]:
        return True
    return any(name.lower() == host or (_address(name) or host) == _address(host) for name in names)


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return None


def _expired(about: str, host: str, leaf: Certificate, trust: Trust) -> Finding:
    day = day_of(leaf.ends)
    return fault(
        about,
        f"The certificate of {host} expired on {day}, {duration(trust.now - leaf.ends)} ago.",
        "It is refused here and by every browser: nobody can sign in.",
        f"Have it renewed: it is {trust.whose}'s. (If that date is not past, this machine's clock is wrong.)",
        Told(
            f"The certificate of {host} expired on {day}; please renew it.",
            f"Le certificat de {host} a expiré le {day} ; merci de le renouveler.",
        ),
    )


def _for_another_host(about: str, host: str, leaf: Certificate, trust: Trust) -> Finding:
    names = listed(leaf.names, most=5) or f"no host name at all (its subject is {leaf.subject})"
    return fault(
        about,
        f"The certificate that {host} shows is for {names}, not for {host}.",
        f"Either the setting names {trust.whose} by a wrong name, or another server answers there.",
        f"Use the name that the certificate has, or have one made for {host}.",
        Told(
            f"The certificate shown at {host} is for {names}; please add {host} to it, or tell us the right name.",
            f"Le certificat présenté par {host} est établi pour {names} ; merci d'y ajouter {host}, ou de nous "
            "indiquer le bon nom.",
        ),
    )


_TO_BE_TRUSTED = (
    "CAS and browsers have to trust it too: let the reverse proxy show a certificate of an authority that they know, "
    "with its chain. If they do know this one, name its certificate (PEM) in --ca-file."
)


def _unknown_authority(about: str, host: str, chain: Sequence[Certificate], trust: Trust) -> Finding:
    """The missing one is whoever signed the last certificate that the server sent."""
    last = chain[-1]
    known = f"{trust.setting} ({trust.ca_file})" if trust.ca_file else "this machine"
    if last.is_self_signed:
        what = "is its own authority" if len(chain) == 1 else f"comes from the authority {last.subject!r}"
        return fault(
            about,
            f"The certificate of {host} {what}, which {known} does not hold.",
            "It cannot be told from a forged one, so nothing was sent there.",
            _TO_BE_TRUSTED
            if trust.is_ours
            else f"Get the certificate of {last.subject!r} from those who run it, by a way you trust, save it as a PEM "
            f"file and name that file in {trust.setting}.",
            Told(
                f"{host} has a certificate of the private authority {last.subject!r}: please send us the authority's "
                "certificate (PEM).",
                f"Le certificat de {host} vient de l'autorité privée {last.subject!r} : merci de nous transmettre le "
                "certificat de cette autorité (PEM).",
            ),
        )
    missing = last.issuer
    return fault(
        about,
        f"The certificate of {host} was issued by {missing!r}: {host} does not send that certificate, and {known} does "
        "not hold it.",
        "Either the server leaves out an intermediate certificate, or this is a private authority. It cannot be told "
        "from a forged one, so nothing was sent there.",
        f"If {missing!r} is an intermediate certificate of a public authority, it has to be added at the server "
        f"(the file with the full chain). If it is private, save its certificate (PEM) and name it in {trust.setting}.",
        Told(
            f"{host} does not send the certificate of {missing!r}, which issued its own: please install the full "
            "chain there; or, if the authority is private, send us its certificate (PEM).",
            f"{host} n'envoie pas le certificat de {missing!r}, qui a signé le sien : merci d'y installer la chaîne "
            "complète ou, si l'autorité est privée, de nous transmettre son certificat (PEM).",
        ),
    )


def _other(about: str, host: str, openssl: str, trust: Trust) -> Finding:
    return fault(
        about,
        f"The certificate of {host} is not trusted: {plain(openssl)}.",
        "It cannot be told from a forged one, so nothing was sent there.",
        f"Have the certificate replaced; for a private authority name its certificate (PEM) in {trust.setting}.",
        Told(
            f"The certificate of {host} is refused here: {plain(openssl)}.",
            f"Le certificat de {host} est refusé ici : {plain(openssl)}.",
        ),
    )


def day_of(moment: float) -> str:
    """A date in UTC."""
    try:
        return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d}"
    except (OverflowError, ValueError, OSError):
        return "a day that no calendar has"
