"""Error messages of a real engine, which hub/spawner/errors.py has to recognise."""

from __future__ import annotations

import os
from collections.abc import Iterator

import docker
import pytest
from docker.errors import APIError
from docker.types import DeviceRequest, IPAMConfig, IPAMPool

from hub.spawner.errors import engine_error
from tests.machine import status

pytestmark = [pytest.mark.e2e, pytest.mark.needs("engine", "images")]

NAME = f"passerelle-words-{os.getpid()}"


@pytest.fixture
def engine() -> Iterator[docker.APIClient]:
    client = docker.APIClient(version="auto")
    try:
        yield client
    finally:
        for one in client.containers(all=True, filters={"name": NAME}):
            client.remove_container(one["Id"], force=True)
        for one in client.networks(names=[NAME]):
            client.remove_network(one["Id"])
        client.close()


def start(engine: docker.APIClient, suffix: str = "", **wanted: object) -> None:
    command = wanted.pop("command", ["sleep", "60"])
    image = wanted.pop("image", status.image_names()["python"])
    config = engine.create_host_config(**wanted)
    made = engine.create_container(image, command, name=f"{NAME}{suffix}", host_config=config)
    engine.start(made["Id"])


def reason(engine: docker.APIClient, **wanted: object) -> str:
    with pytest.raises(APIError) as caught:
        start(engine, **wanted)
    return engine_error(caught.value, "image").reason


def test_missing_gpu(engine: docker.APIClient) -> None:
    """The engine accepts the request; only the device is missing."""
    request = DeviceRequest(device_ids=["passerelle-none"], capabilities=[["gpu"]])
    assert reason(engine, device_requests=[request]) == "gpu"


def test_image_without_server(engine: docker.APIClient) -> None:
    assert reason(engine, command=["jupyterhub-singleuser"]) == "image_unfit"


def test_missing_image(engine: docker.APIClient) -> None:
    assert reason(engine, image="passerelle-nowhere:1") == "image_missing"


def test_missing_network(engine: docker.APIClient) -> None:
    assert reason(engine, network_mode="passerelle-nowhere") == "network_missing"


def test_container_name_in_use(engine: docker.APIClient) -> None:
    start(engine)
    assert reason(engine) == "still_stopping"


def test_network_without_free_address(engine: docker.APIClient) -> None:
    pool = IPAMConfig(pool_configs=[IPAMPool(subnet=f"10.253.{os.getpid() % 256}.0/30")])
    engine.create_network(NAME, ipam=pool)
    start(engine, network_mode=NAME)
    assert reason(engine, suffix="-2", network_mode=NAME) == "network_full"
