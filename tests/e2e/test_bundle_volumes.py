"""Volume measurements by a real engine, in containers that are removed."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from hub.storage.volumes import LABEL, ToolError, Volumes

pytestmark = [pytest.mark.e2e, pytest.mark.needs("engine", "images")]

ENV = (Path(__file__).resolve().parents[2] / ".env").read_text()
IMAGE = re.search(r"^PYTHON_IMAGE=(\S+)", ENV, re.M)


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    engine = docker.from_env()
    yield engine
    engine.close()


@pytest.fixture
def volumes(client: docker.DockerClient) -> Iterator[Volumes]:
    assert IMAGE
    ours = Volumes(f"passerelle-volumes-{os.getpid()}", IMAGE[1])
    yield ours
    left = client.containers.list(all=True, filters={"label": f"{LABEL}={ours.project}"})
    for home in ours.homes():
        client.volumes.get(home).remove()
    ours.client.close()
    assert left == []


def fill(client: docker.DockerClient, volume: str, script: str) -> None:
    assert IMAGE
    client.containers.run(
        IMAGE[1], ["sh", "-c", script], volumes={volume: {"bind": "/v"}}, network_mode="none", remove=True
    )


def test_measurement_includes_private_files(client: docker.DockerClient, volumes: Volumes) -> None:
    home = f"{volumes.project}-home-a"
    fill(
        client,
        home,
        "mkdir -m 700 /v/private && head -c 2000000 /dev/urandom > /v/private/x && ln -s /usr /v/link"
        " && ln /v/private/x /v/again && chown -R 1000 /v",
    )
    assert 2_000_000 <= volumes.size(home, 30) < 2_100_000, "once, and without what links lead to"
    assert volumes.homes() == [home]
    assert volumes.homes_in_use() == set()


def test_missing_home_has_no_size_and_is_not_created(volumes: Volumes) -> None:
    assert volumes.size(f"{volumes.project}-home-nobody", 30) == 0
    assert volumes.homes() == []


def test_slow_measurement_times_out_and_leaves_nothing(client: docker.DockerClient, volumes: Volumes) -> None:
    home = f"{volumes.project}-home-big"
    fill(client, home, "cd /v && python3 -c \"[open(str(n), 'w').close() for n in range(20_000)]\"")
    with pytest.raises(ToolError):
        # Over before `du` has started, on any machine.
        volumes.size(home, 0.000_001)  # type: ignore[arg-type]


def test_missing_measurement_image_is_an_error(volumes: Volumes) -> None:
    fill(volumes.client, f"{volumes.project}-home-b", "true")
    with pytest.raises(ToolError, match="No such image"):
        Volumes(volumes.project, "passerelle-no-such-image").size(f"{volumes.project}-home-b", 5)
