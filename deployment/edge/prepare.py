"""Makes, once, what every start needs: the secrets the services share and the certificate of the edge.

Run before the other services (`python deployment/edge/prepare.py`), as often as you like: a secret that exists is never
changed, a certificate that still serves is kept (`serving.py`). What is set for Traefik is checked here, because
Traefik would only log the fault and go on with something else.

Reads:  SECRETS_DIR, CERTS_DIR         where the files go
        TLS_HOSTS                      host names the certificate must cover, separated by commas
        OWN_CERT_FILE, OWN_KEY_FILE    your certificate and key (PEM), used if they exist
        BRIDGE_GID                     group that may read what the bridge needs (its container is not root)
        TRAEFIK_DYNAMIC_DIR            folder that Traefik watches; routes.yml is put there (optional)
        DEMO_CAS_HOST                  host of the demo's CAS: every host has to be *.localhost then
        TRAEFIK_API_USER               name in the password file of Traefik's API (default: hub)
        METRICS_DIR                    where the token goes that reads metrics (optional)
        ACME_*                         of whom Traefik asks certificates (`acme.py`)
        DASHBOARD                      1: a password for Traefik's dashboard is made
"""

import base64
import hashlib
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # a script, not a package: its sibling is beside it

from acme import check_acme
from certificate import EdgeError, read_file
from files import restrict, write
from serving import Site, make_certificate, read_site

ROUTES = Path(__file__).with_name("routes.yml")
DASHBOARD_USER = "admin"
RESTORE_UNDER_WAY = ".restore-under-way"  # as hub/config/restore_marker.py has it


@dataclass(frozen=True)
class Plan:
    """What is asked of one run."""

    secrets_dir: Path
    site: Site
    bridge_gid: int | None
    dynamic_dir: Path | None
    api_user: str
    dashboard: bool
    metrics_dir: Path | None


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Do everything, say one line for each part; on a fault say one sentence and return 1."""
    try:
        plan = read_plan(environ)
        check_is_whole(environ)
        issued = check_acme(environ, plan.site)
        make_secrets(plan, new_secret=lambda: secrets.token_hex(32))
        print(f"secrets: ready in {plan.secrets_dir}")
        print(f"certificate: {make_certificate(plan.site, now=datetime.now(UTC))}", flush=True)
        if issued:
            print(f"certificates by ACME: {issued}", flush=True)
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
        raise EdgeError(f"{', '.join(missing)} must be set in the environment of deployment/edge/prepare.py.")
    dashboard = environ.get("DASHBOARD") or "0"
    if dashboard not in ("0", "1"):
        raise EdgeError(f"DASHBOARD is {dashboard!r}: write 1 to have it at this machine's loopback, or nothing.")
    if (rate := environ.get("AUTH_RATE_PER_MINUTE", "")) and not rate.isdigit():
        raise EdgeError(f"AUTH_RATE_PER_MINUTE is {rate!r}: write how many requests one address may make in a minute.")
    site = read_site(environ)
    check_demo_is_local(environ.get("DEMO_CAS_HOST", ""), site.hosts)
    gid = environ.get("BRIDGE_GID", "")
    if gid and not gid.isdigit():
        raise EdgeError(f"BRIDGE_GID is {gid!r}, which is no group number: write the number of the bridge's group.")
    return Plan(
        secrets_dir=Path(environ["SECRETS_DIR"]),
        site=site,
        bridge_gid=int(gid) if gid else None,
        dynamic_dir=Path(environ["TRAEFIK_DYNAMIC_DIR"]) if environ.get("TRAEFIK_DYNAMIC_DIR") else None,
        api_user=environ.get("TRAEFIK_API_USER") or "hub",
        dashboard=dashboard == "1",
        metrics_dir=Path(environ["METRICS_DIR"]) if environ.get("METRICS_DIR") else None,
    )


def check_is_whole(environ: Mapping[str, str]) -> None:
    """Raise if a restore has left these volumes half done: what is made now would be mixed with what comes back."""
    folders = [environ[name] for name in ("SECRETS_DIR", "CERTS_DIR", "METRICS_DIR") if environ.get(name)]
    if any(Path(folder, RESTORE_UNDER_WAY).exists() for folder in folders):
        raise EdgeError(
            "a restore into this project was interrupted: `docker compose down`, then the same command again, "
            "`passerelle hub restore …`, which goes on where it stopped."
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
    keep_or_make(plan.secrets_dir / "hub_crypt_key", new_secret)  # of what the hub remembers of a sign-in
    write_users(plan.secrets_dir / "traefik_api_users", plan.api_user, password)
    if plan.metrics_dir:
        # A folder of its own: what collects metrics sees this one and no other secret.
        plan.metrics_dir.mkdir(parents=True, exist_ok=True)
        token = keep_or_make(plan.metrics_dir / "metrics_token", new_secret, group=plan.bridge_gid)
        keep_or_make(plan.metrics_dir / "grafana_admin_password", new_secret, group=plan.bridge_gid)
        write_users(plan.secrets_dir / "traefik_metrics_users", "prometheus", token)
    if plan.dashboard:
        password = keep_or_make(plan.secrets_dir / "dashboard_password", new_secret)
        write_users(plan.secrets_dir / "dashboard_users", DASHBOARD_USER, password)


def write_users(path: Path, user: str, password: str) -> None:
    """A password file as Traefik reads it.

    It verifies the password on every call. A slow hash protects passwords that can be guessed; these are 256 random
    bits, so that the plain SHA-1 form is as safe and costs no CPU and no package.
    """
    digest = base64.b64encode(hashlib.sha1(password.encode(), usedforsecurity=False).digest()).decode()
    line = f"{user}:{{SHA}}{digest}\n"
    if not path.exists() or read_file(path).decode(errors="replace") != line:
        write(path, line.encode())


def keep_or_make(path: Path, new_secret: Callable[[], str], *, group: int | None = None) -> str:
    """The secret in this file; a new one only if there is no file."""
    if not path.exists():
        write(path, new_secret().encode(), group=group)
    value = read_file(path).decode(errors="replace").strip()
    if not value:
        raise EdgeError(f"{path} is empty: write your secret into it, or delete it to have a new one made.")
    restrict(path, group)
    return value


if __name__ == "__main__":
    sys.exit(main())
