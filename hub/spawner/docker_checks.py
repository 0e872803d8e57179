"""Checks of the Docker engine and its images at the start of the hub."""

import os
from contextlib import closing

import docker
from docker.errors import DockerException

TIMEOUT = 10  # seconds
TRACKS_ACTIVITY_LABEL = "org.passerelle.counts-work"


class EngineError(Exception):
    """No response from a Docker engine; the message has the remedy."""


def check_engine() -> None:
    """Raise EngineError unless the configured Docker engine responds."""
    try:
        with closing(docker.from_env(timeout=TIMEOUT)) as client:
            client.ping()
    except (DockerException, OSError):
        where = os.environ.get("DOCKER_HOST") or "/var/run/docker.sock"
        raise EngineError(
            f"the hub cannot start: no Docker engine responds at {where}. Start Docker, and mount the socket in the "
            "service `hub` (`/var/run/docker.sock:/var/run/docker.sock` under its volumes in compose.yml)."
        ) from None


def has_image(name: str) -> bool:
    """Return whether the image is on this server."""
    try:
        with closing(docker.from_env(timeout=TIMEOUT)) as client:
            client.images.get(name)
    except (DockerException, OSError):
        return False
    return True


def tracks_kernel_activity(name: str) -> bool:
    """Return whether labs from this image report kernels that compute without output.

    The extension in lab/Dockerfile does. The result is True if it is unknown; another check reports a missing image.
    """
    try:
        with closing(docker.from_env(timeout=TIMEOUT)) as client:
            labels = (client.images.get(name).attrs.get("Config") or {}).get("Labels") or {}
    except (DockerException, OSError):
        return True
    return bool(labels.get(TRACKS_ACTIVITY_LABEL) == "yes")
