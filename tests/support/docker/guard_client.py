"""A Docker client that uses the guard of a deployment, as its hub does, and forged calls through it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError

from hub.guard.rules import lab_labels
from tests.support.docker.deployment import Deployment

G = 1024**3


def guard_client(deployment: Deployment) -> docker.APIClient:
    """Return a client; root on this machine reaches the socket in its volume."""
    volume = deployment.docker("volume", "inspect", "--format", "{{.Mountpoint}}", f"{deployment.project}_guard-socket")
    return docker.APIClient(f"unix://{Path(volume, 'docker.sock')}", version="auto")


def lab_body(project: str, **host: Any) -> dict[str, Any]:
    """Return the arguments of a lab, with changes of its host configuration."""
    usual = {
        "Memory": G,
        "MemorySwap": G,
        "NetworkMode": f"{project}-labs",
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true"],
        "Binds": [f"{project}-home-guard:/home/jovyan:rw"],
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "2"}},
        "CpuQuota": 50_000,
        "CpuPeriod": 100_000,
        "CpuShares": 64,
        "PidsLimit": 64,
        "ShmSize": 64 * 1024**2,
        "Tmpfs": {"/tmp": "rw,exec,nosuid,nodev,mode=1777,size=1073741824"},
        "Init": True,
    }
    return {
        "image": f"{project}-lab",
        "name": f"{project}-lab-guard",
        "command": ["sleep", "600"],
        "environment": ["A=b"],
        "labels": lab_labels(project),
        "host_config": usual | host,
    }


def refusals(client: docker.APIClient, deployment: Deployment) -> dict[str, int]:
    """Return the statuses of forged calls by name."""
    project, bridge = deployment.project, deployment.container("bridge")
    forged = {
        "privileged": lambda: client.create_container(**lab_body(project, Privileged=True)),
        "root folder": lambda: client.create_container(**lab_body(project, Binds=["/:/host:rw"])),
        "secrets": lambda: client.create_container(**lab_body(project, Binds=[f"{project}_secrets:/s:ro"])),
        "host network": lambda: client.create_container(**lab_body(project, NetworkMode="host")),
        "stop of the bridge": lambda: client.stop(bridge),
        "log of the bridge": lambda: client.logs(bridge),
        "exec in a lab": lambda: client.exec_create(f"{project}-lab-bob", ["id"]),
        "files of a lab": lambda: client.get_archive(f"{project}-lab-bob", "/etc/passwd"),
        "removal of a home": lambda: client.remove_volume(f"{project}-home-bob"),
        "all containers": lambda: client.containers(all=True),
        "information": client.info,
    }
    statuses = {}
    for name, call in forged.items():
        try:
            call()
            statuses[name] = 200
        except APIError as error:
            statuses[name] = error.status_code
    return statuses


def spawn_seconds(client: docker.APIClient, deployment: Deployment) -> float:
    """Return the duration of the calls of a spawn, as DockerSpawner sends them, and remove the container."""
    body = lab_body(deployment.project)
    began = time.monotonic()
    client.inspect_image(body["image"])
    client.inspect_image(body["image"])
    client.inspect_volume(f"{deployment.project}-home-bob")
    lab = client.create_container(**body)["Id"]
    client.start(lab)
    client.inspect_container(lab)
    client.inspect_container(body["name"])
    ended = time.monotonic()
    client.stop(lab, timeout=0)
    client.remove_container(lab, v=True)
    return ended - began
