"""The guard passes on what the hub needs, and reports faults of the engine."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import APIError, NotFound
from docker.types import DeviceRequest

from hub.guard.creation import check_container
from hub.guard.rules import RefusedError, Rules
from hub.storage.volumes import Volumes
from tests.support.docker.guarded_engine import OWN, GuardedEngine, guarded_engine
from tests.unit.hub.guard.forged_calls import CREATE, LAB, SHARED, TOOL, V, changed


def test_lab_reaches_engine_unchanged(guard: GuardedEngine) -> None:
    assert guard.call("POST", CREATE, LAB)[0] == 200
    assert guard.engine.calls == [("POST", CREATE, LAB)]


def test_tool_reaches_engine_unchanged(guard: GuardedEngine) -> None:
    assert guard.call("POST", f"{V}/containers/create", TOOL)[0] == 200
    assert guard.engine.calls == [("POST", f"{V}/containers/create", TOOL)]


def test_shared_volume_reaches_engine_unchanged(guard: GuardedEngine) -> None:
    assert guard.call("POST", f"{V}/volumes/create", SHARED)[0] == 200
    assert guard.engine.calls == [("POST", f"{V}/volumes/create", SHARED)]


ADMITTED: dict[str, dict[str, Any]] = {
    "image-of-hub-toml": changed(LAB, Image="registry.example.org:5000/course@sha256:0123"),
    "highest-limits-of-groups": changed(LAB, Memory=8 * 1024**3, MemorySwap=8 * 1024**3, CpuQuota=250_000),
    "gpus-of-a-group": changed(LAB, DeviceRequests=[DeviceRequest(device_ids=["0"], capabilities=[["gpu"]])]),
    "course-and-group": changed(
        LAB, Binds=["p-home-bob:/home/jovyan:rw", "p-course-algebra:/srv/courses/algebra:ro"], GroupAdd=["10100"]
    ),
    "public-folder-with-space": changed(LAB, Binds=["p-home-bob:/home/jovyan:rw", "/srv/public data:/srv/public:ro"]),
    "escaped-name-of-user": changed(LAB, Binds=["p-home-b-2eo-40x:/home/jovyan:rw"]),
    "isolated": changed(LAB, Dns=["127.0.0.1"]),
    "other-command": changed(LAB, Cmd=["timeout", "1800", "jupyterhub-singleuser", "--é"], Env=["A=\ud83d"]),
}


def test_only_runtime_of_the_settings_is_admitted(rules: Rules) -> None:
    check_container(changed(LAB, Runtime="runsc"), "p-lab-bob", replace(rules, runtime="runsc"))
    with pytest.raises(RefusedError, match="Runtime"):
        check_container(LAB, "p-lab-bob", replace(rules, runtime="runsc"))


@pytest.mark.parametrize("name", ADMITTED)
def test_lab_within_settings_is_admitted(guard: GuardedEngine, name: str) -> None:
    status, text = guard.call("POST", CREATE, ADMITTED[name])
    assert status == 200, text


def test_operations_use_the_id_of_the_container(guard: GuardedEngine) -> None:
    guard.call("POST", f"{V}/containers/p-lab-bob/stop?t=5")
    assert guard.engine.changes() == [("POST", f"{V}/containers/{OWN}/stop?t=5", None)]


def test_image_name_may_be_escaped(guard: GuardedEngine) -> None:
    path = f"{V}/images/registry.example.org:5000/course%40sha256:0123/json"
    assert guard.call("GET", path)[0] == 200
    assert guard.engine.calls == [("GET", path, None)]


def test_volumes_of_other_deployments_are_left_out(guard: GuardedEngine) -> None:
    client = docker.APIClient(f"unix://{guard.path}", version="1.41")
    assert client.volumes(filters={"name": "p-home-"})["Volumes"] == [{"Name": "p-home-bob"}]
    client.close()


def test_missing_container_is_reported_as_by_the_engine(guard: GuardedEngine) -> None:
    client = docker.APIClient(f"unix://{guard.path}", version="1.41")
    with pytest.raises(NotFound):
        client.stop("p-lab-nobody")
    client.close()


def test_docker_client_reads_reason_of_refusal(guard: GuardedEngine) -> None:
    client = docker.APIClient(f"unix://{guard.path}", version="1.41")
    with pytest.raises(APIError) as caught:
        client.create_container("p-lab", name="p-lab-bob", host_config={"Privileged": True})
    assert caught.value.status_code == 403
    assert "HostConfig.Privileged" in caught.value.explanation
    client.close()


def test_volume_service_works_through_the_guard(guard: GuardedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{guard.path}")
    volumes = Volumes("p", "p-hub")
    assert volumes.homes() == ["p-home-bob"]
    volumes.client.close()


def test_slow_engine_is_reported(rules: Rules) -> None:
    with tempfile.TemporaryDirectory() as folder, guarded_engine(Path(folder), rules, timeout=0.2) as guard:
        guard.engine.delay = 1
        status, text = guard.call("GET", "/version")
    assert (status, "did not answer within" in text) == (504, True)


def test_absent_engine_is_reported(rules: Rules) -> None:
    with tempfile.TemporaryDirectory() as folder, guarded_engine(Path(folder), rules) as guard:
        Path(folder, "engine.sock").unlink()
        status, text = guard.call("GET", "/version")
    assert (status, "cannot be reached" in text) == (502, True)
