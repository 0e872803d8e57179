"""Findings about certificates: expiry, wrong host name, missing chain, unknown authority. Pure, except for CA files."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from bridge.check.certificates import Certificate, TrustConfig, format_date
from bridge.check.findings import Finding, fault, format_duration, join_names, note, ok, printable, warning
from passerelle_common.i18n import Message

EXPIRES_SOON_SECONDS = 14 * 86400
UNKNOWN_AUTHORITY_ERRORS = ("unable to get", "self-signed", "self signed", "unable to verify")

_NOT_VERIFIED = "A forged certificate would look the same, so the check sent nothing there."
_REPLACE_OURS = (
    "CAS and browsers must trust it too: configure the reverse proxy with a certificate from an authority that they "
    "trust, including the chain. If they already trust this one, pass its certificate (PEM) with --ca-file."
)


def evaluate_trusted(id: str, host: str, certificate: Certificate | None, trust: TrustConfig) -> Finding:
    """Evaluate when a verified certificate expires."""
    by = f"by {trust.setting}" if trust.ca_file else "by this machine"
    if certificate is None:
        return ok(id, f"The certificate of {host} is trusted {by}.")
    left, day = certificate.ends - trust.now, format_date(certificate.ends)
    if left >= EXPIRES_SOON_SECONDS:
        return ok(id, f"The certificate of {host} is trusted {by}, until {day}.")
    return warning(
        id,
        f"The certificate of {host} expires in {format_duration(left)}, on {day}.",
        "After that date, users cannot sign in.",
        f"Renew it before then; it belongs to {trust.owner}.",
        Message("The certificate of %(host)s expires on %(day)s. Please renew it.", {"host": host, "day": day}),
    )


def evaluate_untrusted(
    id: str, host: str, chain: Sequence[Certificate], openssl_error: str, trust: TrustConfig
) -> Finding:
    """Explain why the first certificate of a chain, which may be empty, is not trusted."""
    # First, because trusting or renewing the certificate of another server would be wrong advice.
    if chain and not _matches_host(host, chain[0].names):
        return _wrong_host(id, host, chain[0], trust)
    if chain and not chain[0].begins <= trust.now <= chain[0].ends:
        return _outside_validity(id, host, chain[0], trust)
    if chain and any(words in openssl_error for words in UNKNOWN_AUTHORITY_ERRORS):
        return _unknown_authority(id, host, chain, trust)
    reason = printable(openssl_error)
    return fault(
        id,
        f"The certificate of {host} is not trusted: {reason}.",
        _NOT_VERIFIED,
        f"Have the certificate replaced. For a private authority, set {trust.setting} to its certificate (PEM).",
        Message("Our machine rejects the certificate of %(host)s: %(reason)s.", {"host": host, "reason": reason}),
    )


def _matches_host(host: str, names: Sequence[str]) -> bool:
    """Compare names as in RFC 9525 §6.3: an asterisk stands for the whole first label."""
    host = host.lower().rstrip(".")
    parent = host.partition(".")[2]
    if parent and not _ip(host) and f"*.{parent}" in [name.lower() for name in names]:
        return True
    return any(name.lower() == host or (_ip(name) or host) == _ip(host) for name in names)


def _ip(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return None


def _outside_validity(id: str, host: str, leaf: Certificate, trust: TrustConfig) -> Finding:
    if trust.now < leaf.begins:
        seen = f"The certificate of {host} is valid only from {format_date(leaf.begins)}."
        do = "Compare `date -u` with the real time. If the clock is right, have the certificate replaced."
        return fault(id, seen, "Either it was installed too early, or the clock of this machine is wrong.", do)
    day = format_date(leaf.ends)
    return fault(
        id,
        f"The certificate of {host} expired on {day}, {format_duration(trust.now - leaf.ends)} ago.",
        "This machine and every browser reject it: users cannot sign in.",
        f"Renew it; it belongs to {trust.owner}. If that date is in the future, the clock of this machine is wrong.",
        Message("The certificate of %(host)s expired on %(day)s. Please renew it.", {"host": host, "day": day}),
    )


def _wrong_host(id: str, host: str, leaf: Certificate, trust: TrustConfig) -> Finding:
    names = join_names(leaf.names, limit=5)
    facts = {"host": host, "names": names or leaf.subject}
    return fault(
        id,
        f"The certificate of {host} is for {names or f'no host name at all (subject {leaf.subject})'}, not for {host}.",
        f"Either the setting names {trust.owner} incorrectly, or another server answers at this address.",
        f"Use a host name that the certificate contains, or install a certificate for {host}.",
        Message("The certificate at %(host)s is for %(names)s. Please add %(host)s, or send us the right name.", facts),
    )


def _unknown_authority(id: str, host: str, chain: Sequence[Certificate], trust: TrustConfig) -> Finding:
    """Name the missing authority: the issuer of the last certificate that the server sent."""
    last = chain[-1]
    facts = {"host": host, "authority": repr(last.issuer)}
    store = f"{trust.setting} ({trust.ca_file})" if trust.ca_file else "this machine"
    if not last.is_self_signed:
        return fault(
            id,
            f"The certificate of {host} was issued by {last.issuer!r}, which the server does not send and {store} does "
            "not hold.",
            f"Either the server omits an intermediate certificate, or the authority is private. {_NOT_VERIFIED}",
            f"For a public authority, install the full chain on the server. For a private one, save the certificate of "
            f"{last.issuer!r} (PEM) and set {trust.setting} to that file.",
            Message(
                "%(host)s does not send the certificate of its issuer %(authority)s. Please add it or send it to us.",
                facts,
            ),
        )
    source = "is self-signed" if len(chain) == 1 else f"comes from the authority {last.subject!r}"
    return fault(
        id,
        f"The certificate of {host} {source}, which {store} does not trust.",
        _NOT_VERIFIED,
        _REPLACE_OURS
        if trust.is_ours
        else f"Get the certificate of {last.subject!r} from its administrators over a trusted channel. Save it as a "
        f"PEM file and set {trust.setting} to that file.",
        Message("Please send us the certificate (PEM) of %(authority)s, the authority of %(host)s.", facts),
    )


def unusable_ca_file(id: str, setting: str, file: Path, error: str) -> Finding:
    """Report a CA file with an error from `ca_file_error`."""
    return fault(
        id,
        f"{setting} ({file}) cannot be used: {printable(error)}.",
        "No certificate can be verified, so the check sent no request.",
        "Use a file with certificates in PEM form (-----BEGIN CERTIFICATE-----)."
        + (" Convert DER with `openssl x509 -inform der -in FILE -out FILE.pem`." if "PEM" in error else ""),
    )


def evaluate_ca_file(id: str, setting: str, *, is_needed: bool, holds_server_certificate: bool) -> Finding | None:
    """Evaluate a CA file that can be used; return None if it is as it should be."""
    if not is_needed:
        return ok(id, f"{setting} is not needed: this machine already trusts the certificate.")
    if holds_server_certificate:
        means = "It is trusted until it is renewed; after the renewal, users cannot sign in."
        do = "Use the certificate of its authority instead, if there is one, or replace the file at each renewal."
        return note(id, f"{setting} holds the server's own certificate.", means, do)
    return None
