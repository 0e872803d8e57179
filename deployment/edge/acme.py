"""Checks what is asked of an ACME authority before Traefik asks it: a typo here is otherwise a line in a log at night.

Traefik does the asking (compose.yml has its flags). Nothing here touches the network.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from certificate import EdgeError, parse_chain, read_file
from serving import Site, own_files

CHALLENGES = ("http", "tls")
PRIVATE_ENDINGS = (".localhost", ".local", ".internal", ".test", ".lan")


def check_acme(environ: Mapping[str, str], site: Site) -> str | None:
    """What will be asked of which authority, for the log; None if nobody is asked."""
    email, server = environ.get("ACME_EMAIL", ""), environ.get("ACME_CA_SERVER", "")
    ca_file = Path(environ["ACME_CA_FILE"]) if environ.get("ACME_CA_FILE") else None
    if not email:
        if server or ca_file:
            raise EdgeError(
                "ACME_CA_SERVER or ACME_CA_FILE is set but ACME_EMAIL is empty, so nobody is asked for a certificate: "
                "set ACME_EMAIL in .env, or leave all three empty."
            )
        return None
    challenge = environ.get("ACME_CHALLENGE") or "http"
    if challenge not in CHALLENGES:
        raise EdgeError(f"ACME_CHALLENGE is {challenge!r}: write http (answered at port 80) or tls (at port 443).")
    if not re.fullmatch(r"[^\s@,]+@[^\s@,]+", email):
        raise EdgeError(f"ACME_EMAIL is {email!r}: write the one address that the authority may write to.")
    check_hours(environ.get("ACME_CERT_HOURS", ""))
    check_authority(server, ca_file, site)
    if own_files(site):
        raise EdgeError(
            f"{site.own_cert} is there and ACME_EMAIL is set: take the file away to have certificates issued, "
            "or empty ACME_EMAIL in .env to serve your own."
        )
    authority = server or "Let's Encrypt"
    return f"asked of {authority} by the {challenge} challenge; self-signed until they are there"


def check_hours(hours: str) -> None:
    """Traefik derives from it when to renew."""
    if hours and not (hours.isdigit() and int(hours) > 0):
        raise EdgeError(f"ACME_CERT_HOURS is {hours!r}: write how many hours your authority's certificates are valid.")


def check_authority(server: str, ca_file: Path | None, site: Site) -> None:
    """An address that can be asked, a root that can be read, names that it can know."""
    parts = urlsplit(server)
    if server and (parts.scheme != "https" or not parts.hostname):
        raise EdgeError(f"ACME_CA_SERVER is {server!r}: write the https:// address of its directory.")
    if ca_file:
        parse_chain(read_file(ca_file), ca_file)
    unknown = [host for host in site.hosts if host.endswith(PRIVATE_ENDINGS) or "." not in host]
    if not server and unknown:
        raise EdgeError(
            f"ACME_EMAIL is set, but {', '.join(unknown)} is no name that a public authority knows: in .env set "
            "HUB_HOST and AUTH_HOST to names of the world, or ACME_CA_SERVER to an authority of your own."
        )
