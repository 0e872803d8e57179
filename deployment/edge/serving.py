"""The served certificate: the site's own, else a self-signed pair.

Key and chain are in one file, server.pem, so that Traefik never reads a new key with an old certificate. An invalid
pair is rejected here, because Traefik would only log the error and serve its default certificate.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from certificate import EdgeError, check_pair, read_file, self_signed_pair, still_serves
from files import WORLD_READABLE, write

SERVED = "server.pem"
SHOWN = "server.crt"
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.S)
OWN_FILES = ("OWN_CERT_FILE", "OWN_KEY_FILE")
HOST_PATTERN = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*"
)
WILDCARD = "*."
WARN_BEFORE = timedelta(days=21)


@dataclass(frozen=True)
class Site:
    """The hosts of the edge, and the paths of its certificates."""

    certs_dir: Path
    hosts: tuple[str, ...]
    own_cert: Path | None = None
    own_key: Path | None = None

    @property
    def served(self) -> Path:
        """The file with key and chain for Traefik."""
        return self.certs_dir / SERVED

    @property
    def shown(self) -> Path:
        """The file with the chain only."""
        return self.certs_dir / SHOWN


def read_site(environ: Mapping[str, str]) -> Site:
    """Read the environment; an empty value counts as unset."""
    if missing := [name for name in ("CERTS_DIR", "TLS_HOSTS") if not environ.get(name)]:
        raise EdgeError(f"{', '.join(missing)} must be set in the environment of the scripts in deployment/edge/.")
    named = [host.strip().lower() for host in environ["TLS_HOSTS"].split(",") if host.strip()]
    if twice := sorted({host for host in named if named.count(host) > 1}):
        raise EdgeError(
            f"{', '.join(twice)} is set for two services: in .env HUB_HOST, AUTH_HOST, CAS_HOST and LAB_HOST must "
            "differ, because notebooks serve user-controlled content."
        )
    lab_host = environ.get("LAB_HOST", "").strip().lower()
    for host in named:
        if not HOST_PATTERN.fullmatch(host.removeprefix(WILDCARD) if host == lab_host else host):
            raise EdgeError(f"TLS_HOSTS contains {host!r}, which is no host name: use names without https:// and port.")
    if not named:
        raise EdgeError("TLS_HOSTS contains no host: list the host names that the certificate must cover.")
    check_lab_host(lab_host, [host for host in named if host != lab_host])
    own_cert, own_key = (Path(environ[name]) if environ.get(name) else None for name in OWN_FILES)
    return Site(Path(environ["CERTS_DIR"]), tuple(named), own_cert, own_key)


def check_lab_host(lab_host: str, others: list[str]) -> None:
    """Reject a host of labs that could set cookies for another host."""
    base = lab_host.removeprefix(WILDCARD)
    if not base:
        return
    if near := [host for host in others if f".{host}".endswith(f".{base}") or f".{base}".endswith(f".{host}")]:
        raise EdgeError(
            f"LAB_HOST is {lab_host}, which is {near[0]}, below it or above it, so labs could set cookies for it: in "
            ".env set a separate name, such as *.labs.example.org."
        )


def make_certificate(site: Site, *, now: datetime) -> str:
    """Write the certificate; return its description for the log."""
    site.certs_dir.mkdir(parents=True, exist_ok=True)
    if own := own_files(site):
        cert_pem, key_pem = (read_file(path) for path in own)
        until = check_pair(cert_pem, key_pem, names=own, hosts=site.hosts, now=now)
        origin = f"your own {own[0]}"
    elif self_signed_serves(site, now=now):
        show(site, chain_in(read_file(site.served)))
        return f"self-signed, kept from an earlier start, for {', '.join(site.hosts)}"
    else:
        cert_pem, key_pem, until = self_signed_pair(site.hosts, now=now)
        origin = f"new, self-signed (browsers will warn), for {', '.join(site.hosts)}"
    # The key comes first, because parsers read from the top.
    pem = key_pem.rstrip() + b"\n" + cert_pem
    if not site.served.exists() or read_file(site.served) != pem:
        write(site.served, pem)
    show(site, chain_in(pem))
    left = until - now
    return f"{origin}, valid until {until:%Y-%m-%d}" + (f": ONLY {left.days} DAYS LEFT" if left < WARN_BEFORE else "")


def show(site: Site, chain: bytes) -> None:
    """Publish the chain, readable by all: `passerelle check` compares it with the served one."""
    if not site.shown.exists() or read_file(site.shown) != chain:
        write(site.shown, chain)
    site.shown.chmod(WORLD_READABLE)


def chain_in(pem: bytes) -> bytes:
    """Return the certificates of a file that also contains a key."""
    return b"\n".join(_CERTIFICATE.findall(pem)) + b"\n"


def own_files(site: Site) -> tuple[Path, Path] | None:
    """Return the site's own certificate and key, or None; reject one without the other."""
    present = [path for path in (site.own_cert, site.own_key) if path is not None and path.exists()]
    if not present:
        return None
    if site.own_cert is None or site.own_key is None or len(present) == 1:
        absent = site.own_key if present[0] == site.own_cert else site.own_cert
        raise EdgeError(
            f"{present[0]} exists, but {absent or 'the other file (unset)'} does not: "
            "provide both the certificate and its key, or neither."
        )
    return site.own_cert, site.own_key


def self_signed_serves(site: Site, *, now: datetime) -> bool:
    """Return whether the served certificate is self-signed and still usable."""
    if not site.served.exists():
        return False
    pem = read_file(site.served)
    return still_serves(pem, pem, hosts=site.hosts, now=now)
