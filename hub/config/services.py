"""What the hub offers to those who look after it: a token for the administrator's command, one for Prometheus, and
two numbers that it does not tell by itself.

The first token is made here, once, in the hub's own volume: it deletes users, and nobody but the hub reads it. The
second only reads numbers; `prepare` makes it, because the bridge and Traefik ask for the same one.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from prometheus_client import REGISTRY, CollectorRegistry, Gauge

ADMINISTRATION, PROMETHEUS = "administration", "prometheus"
SCOPES = {
    ADMINISTRATION: ["read:users", "read:servers", "delete:servers", "delete:users"],
    PROMETHEUS: ["read:metrics"],
}


def token_file(data_dir: Path) -> Path:
    """Where the administrator's command finds its token."""
    return data_dir / "administration_token"


def keep_token(data_dir: Path) -> str:
    """The token in that file; a new one only if there is none."""
    path = token_file(data_dir)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        if token := path.read_text(encoding="ascii").strip():
            return token
        # Made by a hub that was killed before it wrote.
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC)
    token = secrets.token_hex(32)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(token)
    return token


def services(data_dir: Path, metrics_token: str) -> list[dict[str, Any]]:
    """As `c.JupyterHub.services` wants them."""
    # Where there is no such folder no hub can run; its configuration can still be looked at.
    found = [{"name": ADMINISTRATION, "api_token": keep_token(data_dir)}] if data_dir.is_dir() else []
    return [*found, {"name": PROMETHEUS, "api_token": metrics_token}] if metrics_token else found


def roles(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As `c.JupyterHub.load_roles` wants them, for these services: each may do what it is for."""
    return [{"name": one["name"], "services": [one["name"]], "scopes": SCOPES[one["name"]]} for one in found]


def measure(data_dir: Path, registry: CollectorRegistry = REGISTRY) -> None:
    """Add to the hub's metrics how full the disk is that holds volumes, homes among them, and how many labs run.

    The hub has a number of running servers as well; it counts a start that failed as one that stopped, and so ends
    below zero.
    """
    if "passerelle_disk_bytes" in getattr(registry, "_names_to_collectors", {}):
        return  # the configuration is read once more by some of the hub's commands
    gauge = Gauge("passerelle_disk_bytes", "The disk of the volumes, homes among them.", ("state",), registry=registry)
    gauge.labels("total").set_function(lambda: shutil.disk_usage(data_dir).total)
    gauge.labels("free").set_function(lambda: shutil.disk_usage(data_dir).free)
    labs = Gauge("passerelle_running_labs", "Labs that run just now, by the hub's database.", registry=registry)
    labs.set_function(lambda: running_labs(data_dir / "jupyterhub.sqlite"))


def running_labs(database: Path) -> float:
    """How many labs run; no number if the database cannot be asked just now."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(database))}?mode=ro", uri=True, timeout=1)) as hub:
            (count,) = hub.execute("SELECT count(*) FROM spawners WHERE server_id IS NOT NULL").fetchone()
    except sqlite3.Error:
        return float("nan")
    return float(count)
