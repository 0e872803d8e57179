"""Makes, once, what every start needs: the secrets the services share and the certificate of the edge.

Run before the other services (`python edge/prepare.py`), as often as you like: a secret that exists is never
changed, a certificate that still serves is kept, and own certificate files are checked before Traefik sees
them, because Traefik would only log the fault and serve a certificate nobody knows.

Reads:  SECRETS_DIR, CERTS_DIR         where the files go
        TLS_HOSTS                      host names the certificate must cover, separated by commas
        OWN_CERT_FILE, OWN_KEY_FILE    your certificate and key (PEM), used if they exist
        BRIDGE_GID                     group that may read what the bridge needs (its container is not root)
        TRAEFIK_DYNAMIC_DIR            folder that Traefik watches; routes.yml is put there (optional)
        DEMO_CAS_HOST                  host of the demo's CAS: every host has to be *.localhost then
        TRAEFIK_API_USER               name in the password file of Traefik's API (default: hub)
"""

import base64
import hashlib
import os
import re
import secrets
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # a script, not a package: its sibling is beside it

from certificate import EdgeError, check_pair, read_file, self_signed_pair, still_serves

HOST_PATTERN = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*"
)
ROUTES = Path(__file__).with_name("routes.yml")
OWNER_ONLY = 0o400
OWNER_AND_GROUP = 0o440
EVERYBODY = 0o444


@dataclass(frozen=True)
class Plan:
    """What is asked of one run."""

    secrets_dir: Path
    certs_dir: Path
    hosts: tuple[str, ...]
    own_cert: Path | None
    own_key: Path | None
    bridge_gid: int | None
    dynamic_dir: Path | None
    api_user: str


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Do everything, say one line for each part; on a fault say one sentence and return 1."""
    try:
        plan = read_plan(environ)
        make_secrets(plan, new_secret=lambda: secrets.token_hex(32))
        print(f"secrets: ready in {plan.secrets_dir}")
        print(f"certificate: {make_certificate(plan, now=datetime.now(UTC))}", flush=True)
        if plan.dynamic_dir:
            write(plan.dynamic_dir / ROUTES.name, ROUTES.read_bytes())
            print(f"routes: {plan.dynamic_dir / ROUTES.name}")
    except EdgeError as fault:
        print(f"prepare: {fault}", file=sys.stderr)
        return 1
    except OSError as error:
        print(
            f"prepare: cannot write {error.filename} ({error.strerror}): "
            "make its folder writable for the user who runs this.",
            file=sys.stderr,
        )
        return 1
    return 0


def read_plan(environ: Mapping[str, str]) -> Plan:
    """Read the environment; an empty value counts as unset, as everywhere in this project."""
    missing = [name for name in ("SECRETS_DIR", "CERTS_DIR", "TLS_HOSTS") if not environ.get(name)]
    if missing:
        raise EdgeError(f"{', '.join(missing)} must be set in the environment of edge/prepare.py.")
    named = [host.strip().lower() for host in environ["TLS_HOSTS"].split(",") if host.strip()]
    if twice := sorted({host for host in named if named.count(host) > 1}):
        raise EdgeError(
            f"{', '.join(twice)} is given for two services: in .env HUB_HOST, AUTH_HOST and CAS_HOST must differ, "
            "because notebooks are pages that users control."
        )
    hosts = tuple(named)
    for host in hosts:
        if not HOST_PATTERN.fullmatch(host):
            raise EdgeError(f"TLS_HOSTS holds {host!r}, which is no host name: write names without https:// or port.")
    if not hosts:
        raise EdgeError("TLS_HOSTS names no host: list the host names that the certificate must cover.")
    check_demo_is_local(environ.get("DEMO_CAS_HOST", ""), hosts)
    gid = environ.get("BRIDGE_GID", "")
    if gid and not gid.isdigit():
        raise EdgeError(f"BRIDGE_GID is {gid!r}, which is no group number: write the number of the bridge's group.")
    optional = ("OWN_CERT_FILE", "OWN_KEY_FILE", "TRAEFIK_DYNAMIC_DIR")
    own_cert, own_key, dynamic_dir = (Path(environ[name]) if environ.get(name) else None for name in optional)
    return Plan(
        secrets_dir=Path(environ["SECRETS_DIR"]),
        certs_dir=Path(environ["CERTS_DIR"]),
        hosts=hosts,
        own_cert=own_cert,
        own_key=own_key,
        bridge_gid=int(gid) if gid else None,
        dynamic_dir=dynamic_dir,
        api_user=environ.get("TRAEFIK_API_USER") or "hub",
    )


def check_demo_is_local(demo_cas_host: str, hosts: tuple[str, ...]) -> None:
    """The demo's users and their passwords are printed in the README: nobody else may reach them."""
    public = [host for host in hosts if not host.endswith(".localhost")]
    if demo_cas_host and public:
        raise EdgeError(
            f"the demo's CAS ({demo_cas_host}) does not run beside {', '.join(public)}, because everybody knows its "
            "passwords: in .env leave COMPOSE_PROFILES, CAS_HOST and CAS_INTERNAL_URL empty and set CAS_URL to yours."
        )


def make_secrets(plan: Plan, *, new_secret: Callable[[], str]) -> None:
    """Make the secrets that do not exist yet and give each file to its readers, no one else."""
    plan.secrets_dir.mkdir(parents=True, exist_ok=True)
    password = keep_or_make(plan.secrets_dir / "traefik_api_password", new_secret)
    keep_or_make(plan.secrets_dir / "hub_client_secret", new_secret, group=plan.bridge_gid)
    keep_or_make(plan.secrets_dir / "bridge_secret_key", new_secret, group=plan.bridge_gid)
    # Traefik verifies this on every call of the hub. A slow hash protects passwords that can be guessed;
    # this one is 256 random bits, so that the plain SHA-1 form is as safe and costs no CPU and no package.
    digest = base64.b64encode(hashlib.sha1(password.encode(), usedforsecurity=False).digest()).decode()
    users = plan.secrets_dir / "traefik_api_users"
    line = f"{plan.api_user}:{{SHA}}{digest}\n"
    if not users.exists() or read_file(users).decode(errors="replace") != line:
        write(users, line.encode())


def keep_or_make(path: Path, new_secret: Callable[[], str], *, group: int | None = None) -> str:
    """The secret in this file; a new one only if there is no file."""
    if not path.exists():
        write(path, new_secret().encode(), group=group)
    value = read_file(path).decode(errors="replace").strip()
    if not value:
        raise EdgeError(f"{path} is empty: write your secret into it, or delete it to have a new one made.")
    restrict(path, group)
    return value


def make_certificate(plan: Plan, *, now: datetime) -> str:
    """Put server.crt and server.key in place; return what they are, for the log."""
    cert_path, key_path = plan.certs_dir / "server.crt", plan.certs_dir / "server.key"
    plan.certs_dir.mkdir(parents=True, exist_ok=True)
    if own := own_files(plan):
        own_cert, own_key = own
        cert_pem, key_pem = read_file(own_cert), read_file(own_key)
        until = check_pair(cert_pem, key_pem, names=(own_cert, own_key), hosts=plan.hosts, now=now)
        origin = f"your own {own_cert}"
    elif (
        cert_path.exists()
        and key_path.exists()
        and still_serves(read_file(cert_path), read_file(key_path), hosts=plan.hosts, now=now)
    ):
        cert_path.chmod(EVERYBODY)
        return f"self-signed, kept from an earlier start, for {', '.join(plan.hosts)}"
    else:
        cert_pem, key_pem, until = self_signed_pair(plan.hosts, now=now)
        origin = f"new, self-signed (browsers will warn), for {', '.join(plan.hosts)}"
    write(key_path, key_pem)
    write(cert_path, cert_pem)
    cert_path.chmod(EVERYBODY)  # it is shown to whoever connects; `passerelle check` compares it with what is shown
    days_left = (until - now).days
    return f"{origin}, valid until {until:%Y-%m-%d}" + (f": ONLY {days_left} DAYS LEFT" if days_left < 21 else "")


def own_files(plan: Plan) -> tuple[Path, Path] | None:
    """The site's own certificate and key, if both are there; one without the other is a fault."""
    present = [path for path in (plan.own_cert, plan.own_key) if path is not None and path.exists()]
    if not present:
        return None
    if plan.own_cert is None or plan.own_key is None or len(present) == 1:
        absent = plan.own_key if present[0] == plan.own_cert else plan.own_cert
        raise EdgeError(
            f"{present[0]} is there but its partner {absent or '(unset)'} is not: "
            "give both the certificate and its key, or neither."
        )
    return plan.own_cert, plan.own_key


def write(path: Path, content: bytes, *, group: int | None = None) -> None:
    """Write a private file in one step: a reader, or a power cut, never meets half of it."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        restrict(draft, group)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def restrict(path: Path, group: int | None) -> None:
    """Let the owner read and, if one is given, a group.

    A group, because the hub is root without capabilities: it may not read what belongs to the bridge's user.
    """
    if group is not None:
        os.chown(path, -1, group)
    path.chmod(OWNER_ONLY if group is None else OWNER_AND_GROUP)


if __name__ == "__main__":
    sys.exit(main())
