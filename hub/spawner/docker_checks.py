"""Checks of the Docker engine and its images at the start of the hub."""

import os
from collections.abc import Callable

import docker
from docker.errors import DockerException

TIMEOUT = 10  # seconds
TRACKS_ACTIVITY_LABEL = "org.passerelle.counts-work"


def has_image(name: str, connect: Callable[..., docker.DockerClient] = docker.from_env) -> bool:
    """Return whether the image is on this server."""
    client = connect(timeout=TIMEOUT)
    try:
        client.images.get(name)
    except (DockerException, OSError):
        return False
    else:
        return True
    finally:
        client.close()


def tracks_kernel_activity(name: str, connect: Callable[..., docker.DockerClient] = docker.from_env) -> bool:
    """Return whether labs from this image report kernels that compute without output.

    The extension in lab/Dockerfile does. The result is True if it is unknown; another check reports a missing image.
    """
    client = connect(timeout=TIMEOUT)
    try:
        labels = (client.images.get(name).attrs.get("Config") or {}).get("Labels") or {}
    except (DockerException, OSError):
        return True
    else:
        return labels.get(TRACKS_ACTIVITY_LABEL) == "yes"
    finally:
        client.close()


class EngineError(Exception):
    """No response from a Docker engine; the message has the remedy."""


def check_engine(connect: Callable[..., docker.DockerClient] = docker.from_env) -> None:
    """Raise EngineError unless the configured Docker engine responds."""
    try:
        client = connect(timeout=TIMEOUT)
        try:
            client.ping()
        finally:
            client.close()
    except (DockerException, OSError):
        where = os.environ.get("DOCKER_HOST") or "/var/run/docker.sock"
        raise EngineError(
            f"the hub cannot start: no Docker engine responds at {where}. Start Docker, and mount the socket in the "
            "service `hub` (`/var/run/docker.sock:/var/run/docker.sock` under its volumes in compose.yml)."
        ) from None
