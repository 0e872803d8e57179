"""JupyterHub services and metrics for administration.

The services are API tokens without a process. The administration token can delete users, so the hub creates it in its
own volume. The metrics token only reads; `prepare` creates it, because the bridge and Traefik use the same one.
"""

import secrets
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from prometheus_client import REGISTRY, CollectorRegistry, Gauge
from pydantic import SecretStr

from passerelle_common.atomic_write import atomic_write

ADMINISTRATION, PROMETHEUS = "administration", "prometheus"
SCOPES = {
    ADMINISTRATION: ["read:users", "read:servers", "delete:servers", "delete:users"],
    PROMETHEUS: ["read:metrics"],
}


def token_file(data_dir: Path) -> Path:
    """Return the path of the administration token."""
    return data_dir / "administration_token"


def load_or_create_token(data_dir: Path) -> str:
    """Return the administration token; create the file if there is none."""
    path = token_file(data_dir)
    if path.exists() and (token := path.read_text(encoding="ascii").strip()):
        return token
    token = secrets.token_hex(32)
    with atomic_write(path) as stream:
        stream.write(token.encode())
    return token


def build_services(data_dir: Path, metrics_token: SecretStr | None) -> list[dict[str, Any]]:
    """Return the value for `c.JupyterHub.services`."""
    # Without its data folder a hub cannot run, but its configuration can still be loaded.
    services = [{"name": ADMINISTRATION, "api_token": load_or_create_token(data_dir)}] if data_dir.is_dir() else []
    if metrics_token:
        services.append({"name": PROMETHEUS, "api_token": metrics_token.get_secret_value()})
    return services


def build_roles(services: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the value for `c.JupyterHub.load_roles`: one role for each service."""
    names = [service["name"] for service in services]
    return [{"name": name, "services": [name], "scopes": SCOPES[name]} for name in names]


def register_metrics(data_dir: Path, registry: CollectorRegistry = REGISTRY) -> None:
    """Add disk usage of the volumes and the number of running labs to the hub's metrics.

    JupyterHub's own count of running servers falls below zero, because it counts a failed start as a stop.
    """
    if "passerelle_disk_bytes" in getattr(registry, "_names_to_collectors", {}):
        return  # some JupyterHub commands load the configuration twice
    disk = Gauge("passerelle_disk_bytes", "Disk space of the volumes, including homes.", ("state",), registry=registry)
    disk.labels("total").set_function(lambda: shutil.disk_usage(data_dir).total)
    disk.labels("free").set_function(lambda: shutil.disk_usage(data_dir).free)
    labs = Gauge("passerelle_running_labs", "Running labs, from the hub's database.", registry=registry)
    labs.set_function(lambda: count_running_labs(data_dir / "jupyterhub.sqlite"))


def count_running_labs(database: Path) -> float:
    """Return the number of running labs, or NaN if the database cannot be read."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(database))}?mode=ro", uri=True, timeout=1)) as hub:
            (count,) = hub.execute("SELECT count(*) FROM spawners WHERE server_id IS NOT NULL").fetchone()
    except sqlite3.Error:
        return float("nan")
    return float(count)
