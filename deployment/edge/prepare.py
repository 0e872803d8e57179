"""Creation of the shared secrets and of the edge's certificate.

It runs before the other services (`python deployment/edge/prepare.py`) at every start: existing secrets are never
changed, and a usable certificate is kept (`serving.py`). Traefik's settings are validated here, because Traefik would
only log an error and use a default.

Reads:  SECRETS_DIR, CERTS_DIR         output directories
        TLS_HOSTS                      host names the certificate must cover, separated by commas
        LAB_HOST                       the one of them for labs, such as *.labs.example.org (optional)
        OWN_CERT_FILE, OWN_KEY_FILE    your certificate and key (PEM), used if they exist
        BRIDGE_GID                     group that may read the bridge's files (its container does not run as root)
        BRIDGE_UID                     user of the bridge, who owns its secret key (optional)
        HUB_UID                        user of the hub, who owns its secrets, its data and its routes (optional)
        HUB_DATA_DIR                   the hub's data, which older versions wrote as root (optional)
        TRAEFIK_DYNAMIC_DIR            directory watched by Traefik, which gets routes.yml (optional)
        DEMO_CAS_HOST                  host of the demo CAS, which requires every host to be *.localhost
        TRAEFIK_API_USER               name in the password file of Traefik's API (default: hub)
        METRICS_DIR                    directory of the metrics token (optional)
        ACME_*                         ACME authority for Traefik (`acme.py`)
        DASHBOARD                      1: create a password for Traefik's dashboard
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

sys.path.insert(0, str(Path(__file__).resolve().parent))  # this is a script: import its siblings

from acme import check_acme
from certificate import EdgeError, read_file
from files import give, restrict, write
from serving import Site, make_certificate, read_site

ROUTES = Path(__file__).with_name("routes.yml")
DASHBOARD_USER = "admin"
RESTORE_UNDER_WAY = ".restore-under-way"  # as hub/config/settings.py has it


@dataclass(frozen=True)
class Plan:
    """The settings of one run."""

    secrets_dir: Path
    site: Site
    bridge_gid: int | None
    dynamic_dir: Path | None
    api_user: str
    dashboard: bool
    metrics_dir: Path | None
    bridge_uid: int | None = None
    hub_uid: int | None = None
    hub_data_dir: Path | None = None


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Create what is missing and print one line for each part; return 1 after an error."""
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
        give_to_hub(plan)
    except EdgeError as fault:
        print(f"prepare: {fault}", file=sys.stderr)
        return 1
    except OSError as error:
        print(
            f"prepare: cannot write {error.filename} ({error.strerror}): make its directory writable for this user.",
            file=sys.stderr,
        )
        return 1
    return 0


def read_plan(environ: Mapping[str, str]) -> Plan:
    """Read the environment; an empty value counts as unset."""
    missing = [name for name in ("SECRETS_DIR", "CERTS_DIR", "TLS_HOSTS") if not environ.get(name)]
    if missing:
        raise EdgeError(f"{', '.join(missing)} must be set in the environment of deployment/edge/prepare.py.")
    dashboard = environ.get("DASHBOARD") or "0"
    if dashboard not in ("0", "1"):
        raise EdgeError(f"DASHBOARD is {dashboard!r}: set 1 to publish it on loopback, or leave it empty.")
    if (rate := environ.get("AUTH_RATE_PER_MINUTE", "")) and not rate.isdigit():
        raise EdgeError(f"AUTH_RATE_PER_MINUTE is {rate!r}: set the number of requests per minute and address.")
    site = read_site(environ)
    check_demo_is_local(environ.get("DEMO_CAS_HOST", ""), site.hosts)
    check_labs_are_public(environ.get("LAB_HOST", ""), site.hosts)
    return Plan(
        bridge_uid=read_id(environ, "BRIDGE_UID"),
        hub_uid=read_id(environ, "HUB_UID"),
        hub_data_dir=Path(environ["HUB_DATA_DIR"]) if environ.get("HUB_DATA_DIR") else None,
        secrets_dir=Path(environ["SECRETS_DIR"]),
        site=site,
        bridge_gid=read_id(environ, "BRIDGE_GID"),
        dynamic_dir=Path(environ["TRAEFIK_DYNAMIC_DIR"]) if environ.get("TRAEFIK_DYNAMIC_DIR") else None,
        api_user=environ.get("TRAEFIK_API_USER") or "hub",
        dashboard=dashboard == "1",
        metrics_dir=Path(environ["METRICS_DIR"]) if environ.get("METRICS_DIR") else None,
    )


def read_id(environ: Mapping[str, str], name: str) -> int | None:
    """Return the id of a user or group, or None if it is not set."""
    text = environ.get(name, "")
    if text and not text.isdigit():
        raise EdgeError(f"{name} is {text!r}, which is not a number: set the id of the user or group.")
    return int(text) if text else None


def check_is_whole(environ: Mapping[str, str]) -> None:
    """Reject volumes with an unfinished restore, because new files would mix with restored ones."""
    folders = [environ[name] for name in ("SECRETS_DIR", "CERTS_DIR", "METRICS_DIR") if environ.get(name)]
    if any(Path(folder, RESTORE_UNDER_WAY).exists() for folder in folders):
        raise EdgeError(
            "a restore into this project was interrupted: run `docker compose down`, then repeat "
            "`passerelle hub restore …`, which resumes it."
        )


def check_demo_is_local(demo_cas_host: str, hosts: tuple[str, ...]) -> None:
    """Reject the demo CAS beside public hosts, because its passwords are public."""
    public = [host for host in hosts if not host.endswith(".localhost")]
    if demo_cas_host and public:
        raise EdgeError(
            f"the demo CAS ({demo_cas_host}) does not run together with {', '.join(public)}, because its passwords "
            "are public: in .env leave COMPOSE_PROFILES, CAS_HOST and CAS_INTERNAL_URL empty and set CAS_URL to yours."
        )


def check_labs_are_public(lab_host: str, hosts: tuple[str, ...]) -> None:
    """Reject the demo's host of labs beside public hosts, because other machines cannot reach it."""
    public = [host for host in hosts if not host.endswith(".localhost")]
    if public and lab_host.lower().endswith(".localhost"):
        raise EdgeError(
            f"LAB_HOST is {lab_host}, but {public[0]} is a public host: in .env set LAB_HOST to a name that leads to "
            "this server, or leave it empty (docs/hub/origins.md)."
        )


def make_secrets(plan: Plan, *, new_secret: Callable[[], str]) -> None:
    """Create missing secrets and set the permissions of each file."""
    plan.secrets_dir.mkdir(parents=True, exist_ok=True)
    hub = plan.hub_uid
    password = keep_or_make(plan.secrets_dir / "traefik_api_password", new_secret, owner=hub)
    keep_or_make(plan.secrets_dir / "hub_client_secret", new_secret, group=plan.bridge_gid, owner=hub)
    # Not root's: Traefik is root without capabilities, and its API quotes files that a route of the hub names.
    keep_or_make(plan.secrets_dir / "bridge_secret_key", new_secret, group=plan.bridge_gid, owner=plan.bridge_uid)
    keep_or_make(plan.secrets_dir / "hub_crypt_key", new_secret, owner=hub)  # encrypts the hub's authentication state
    write_users(plan.secrets_dir / "traefik_api_users", plan.api_user, password)
    if plan.metrics_dir:
        # In a separate directory, so that Prometheus can read no other secret.
        plan.metrics_dir.mkdir(parents=True, exist_ok=True)
        token = keep_or_make(plan.metrics_dir / "metrics_token", new_secret, group=plan.bridge_gid, owner=hub)
        keep_or_make(plan.metrics_dir / "grafana_admin_password", new_secret, group=plan.bridge_gid)
        write_users(plan.secrets_dir / "traefik_metrics_users", "prometheus", token)
    if plan.dashboard:
        password = keep_or_make(plan.secrets_dir / "dashboard_password", new_secret)
        write_users(plan.secrets_dir / "dashboard_users", DASHBOARD_USER, password)


def give_to_hub(plan: Plan) -> None:
    """Give the hub its data, and let it write its routes beside the files of the fixed ones, which it cannot change."""
    if plan.hub_uid is None:
        return
    if plan.hub_data_dir:
        give(plan.hub_data_dir, plan.hub_uid)
        plan.hub_data_dir.chmod(0o700)
    if plan.dynamic_dir:
        os.chown(plan.dynamic_dir, -1, plan.hub_uid)
        plan.dynamic_dir.chmod(0o1775)
        for path in plan.dynamic_dir.glob("hub.toml*"):
            os.chown(path, plan.hub_uid, plan.hub_uid, follow_symlinks=False)


def write_users(path: Path, user: str, password: str) -> None:
    """Write a password file for Traefik.

    Traefik verifies the password on every request. A slow hash protects guessable passwords; these are 256 random
    bits, so SHA-1 is as safe and needs neither CPU time nor a package.
    """
    digest = base64.b64encode(hashlib.sha1(password.encode(), usedforsecurity=False).digest()).decode()
    line = f"{user}:{{SHA}}{digest}\n"
    if not path.exists() or read_file(path).decode(errors="replace") != line:
        write(path, line.encode())


def keep_or_make(
    path: Path, new_secret: Callable[[], str], *, group: int | None = None, owner: int | None = None
) -> str:
    """Return the secret in this file; create it if the file is missing."""
    if not path.exists():
        write(path, new_secret().encode(), group=group, owner=owner)
    value = read_file(path).decode(errors="replace").strip()
    if not value:
        raise EdgeError(f"{path} is empty: write your secret into it, or delete it to create a new one.")
    restrict(path, group, owner)
    return value


if __name__ == "__main__":
    sys.exit(main())
