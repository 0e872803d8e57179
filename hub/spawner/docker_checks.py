"""Asks the Docker engine, so that its absence, or an image's, is one sentence at the start of the hub."""

import os
from collections.abc import Callable

import docker
from docker.errors import DockerException

ANSWER_WITHIN = 10  # seconds
COUNTS_WORK = "org.passerelle.counts-work"


def has_image(name: str, connect: Callable[..., docker.DockerClient] = docker.from_env) -> bool:
    """Whether containers can be made from it without a registry."""
    client = connect(timeout=ANSWER_WITHIN)
    try:
        client.images.get(name)
    except (DockerException, OSError):
        return False
    else:
        return True
    finally:
        client.close()


def counts_work(name: str, connect: Callable[..., docker.DockerClient] = docker.from_env) -> bool:
    """Whether labs from this image tell the hub of a kernel that computes in silence: what lab/Dockerfile adds does.

    Of an image that is not there, or an engine that does not say, nothing is known; others tell of that.
    """
    client = connect(timeout=ANSWER_WITHIN)
    try:
        labels = (client.images.get(name).attrs.get("Config") or {}).get("Labels") or {}
    except (DockerException, OSError):
        return True
    else:
        return labels.get(COUNTS_WORK) == "yes"
    finally:
        client.close()


class EngineError(Exception):
    """No Docker engine answers: one sentence with the remedy."""


def check_engine(connect: Callable[..., docker.DockerClient] = docker.from_env) -> None:
    """Return if an engine answers where this process will look for it."""
    try:
        client = connect(timeout=ANSWER_WITHIN)
        try:
            client.ping()
        finally:
            client.close()
    except (DockerException, OSError):
        where = os.environ.get("DOCKER_HOST") or "/var/run/docker.sock"
        raise EngineError(
            f"the hub cannot start, no Docker engine answers at {where}: start Docker, and give the service `hub` "
            "the socket (`/var/run/docker.sock:/var/run/docker.sock` under its volumes in compose.yml)."
        ) from None
