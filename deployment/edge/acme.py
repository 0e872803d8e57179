"""Validation of the ACME settings, without network access.

Traefik requests the certificates; compose.yml has its options. An error that Traefik found would only be logged.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from certificate import EdgeError, parse_chain, read_file
from serving import WILDCARD, Site, own_files

CHALLENGES = ("http", "tls")
PRIVATE_ENDINGS = (".localhost", ".local", ".internal", ".test", ".lan")


def check_acme(environ: Mapping[str, str], site: Site) -> str | None:
    """Validate the ACME settings of a site.

    Returns:
        A description for the log, or None if ACME is not configured.

    Raises:
        EdgeError: A setting is invalid.
    """
    email, server = environ.get("ACME_EMAIL", ""), environ.get("ACME_CA_SERVER", "")
    ca_file = Path(environ["ACME_CA_FILE"]) if environ.get("ACME_CA_FILE") else None
    if not email:
        if server or ca_file:
            raise EdgeError(
                "ACME_CA_SERVER or ACME_CA_FILE is set, but ACME_EMAIL is empty, so no certificate is requested: "
                "set ACME_EMAIL in .env, or leave all three empty."
            )
        return None
    challenge = environ.get("ACME_CHALLENGE") or "http"
    if challenge not in CHALLENGES:
        raise EdgeError(f"ACME_CHALLENGE is {challenge!r}: use http (validated at port 80) or tls (at port 443).")
    if not re.fullmatch(r"[^\s@,]+@[^\s@,]+", email):
        raise EdgeError(f"ACME_EMAIL is {email!r}: set the e-mail address for messages of the authority.")
    if wildcards := [host for host in site.hosts if host.startswith(WILDCARD)]:
        raise EdgeError(
            f"ACME_EMAIL is set, but the {challenge} challenge cannot issue a certificate for {wildcards[0]}: in .env "
            f"set LAB_HOST={wildcards[0].removeprefix(WILDCARD)} (one host for all labs), or empty ACME_EMAIL and put "
            "a wildcard certificate into deployment/certs/ (docs/hub/origins.md)."
        )
    check_hours(environ.get("ACME_CERT_HOURS", ""))
    check_authority(server, ca_file, site)
    if own_files(site):
        raise EdgeError(
            f"{site.own_cert} exists and ACME_EMAIL is set: remove the file to use issued certificates, "
            "or empty ACME_EMAIL in .env to use your own."
        )
    authority = server or "Let's Encrypt"
    return f"requested from {authority} with the {challenge} challenge; self-signed until they are issued"


def check_hours(hours: str) -> None:
    """Validate ACME_CERT_HOURS, from which Traefik derives the time of renewal."""
    if hours and not (hours.isdigit() and int(hours) > 0):
        raise EdgeError(f"ACME_CERT_HOURS is {hours!r}: set the validity of your authority's certificates in hours.")


def check_authority(server: str, ca_file: Path | None, site: Site) -> None:
    """Validate the authority's URL, its root certificate, and the host names it has to issue for."""
    parts = urlsplit(server)
    if server and (parts.scheme != "https" or not parts.hostname):
        raise EdgeError(f"ACME_CA_SERVER is {server!r}: set the https:// URL of its directory.")
    if ca_file:
        parse_chain(read_file(ca_file), ca_file)
    unknown = [host for host in site.hosts if host.endswith(PRIVATE_ENDINGS) or "." not in host]
    if not server and unknown:
        raise EdgeError(
            f"ACME_EMAIL is set, but {', '.join(unknown)} is no public host name: in .env set HUB_HOST "
            "and AUTH_HOST to public host names, or ACME_CA_SERVER to a private authority."
        )
