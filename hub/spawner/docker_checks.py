"""Checks of the Docker engine and its images at the start of the hub."""

import os
from collections.abc import Collection
from contextlib import closing

import docker
from docker.errors import DockerException, NotFound

from hub.culler.policy import Lifetimes

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


def image_warnings(images: Collection[str], lifetimes: Lifetimes) -> list[str]:
    """Return a warning for each image of `hub.toml` that is missing, or whose labs would be culled while they compute.

    Labs report kernels that compute without output if their image has the extension of lab/Dockerfile.
    """
    try:
        with closing(docker.from_env(timeout=TIMEOUT)) as client:
            return [
                f"the image {image} of hub.toml {fault}"
                for image in images
                if (fault := _fault(client, image, lifetimes))
            ]
    except (DockerException, OSError):
        return []


def _fault(client: docker.DockerClient, image: str, lifetimes: Lifetimes) -> str | None:
    try:
        config = client.images.get(image).attrs.get("Config") or {}
    except NotFound:
        return "is not on this server: pull it, or labs cannot start from it"
    if not lifetimes.culls_idle_labs or (config.get("Labels") or {}).get(TRACKS_ACTIVITY_LABEL) == "yes":
        return None
    return (
        "does not report kernels that compute without output, so the hub culls its labs as idle: build the image with "
        "lab/Dockerfile, or give its groups a longer idle_timeout (docs/hub/labs.md)"
    )
