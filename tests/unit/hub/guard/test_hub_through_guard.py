"""Labs as the hub's configuration starts them match the rules of the guard."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from traitlets.config.loader import PyFileConfigLoader

from hub.config.settings import load_settings
from hub.guard.creation import LabContainer, check_container
from hub.guard.rules import GuardSettings, build_rules
from hub.spawner.docker import Lab
from tests.support.docker.recording_engine import RecordingEngine

HUB_TOML = """
[groups.staff]
memory = "8G"
cpu = 2.5
gpus = ["0"]

[courses.algebra]
teachers = ["staff"]
"""


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordingEngine]:
    (tmp_path / "secret").write_text("0f" * 32)
    (tmp_path / "hub.toml").write_text(HUB_TOML)
    values = {
        "HUB_PUBLIC_URL": "https://jupyter.localhost",
        "AUTH_PUBLIC_URL": "https://auth.localhost",
        "AUTH_INTERNAL_URL": "http://bridge:8000",
        "OAUTH_CLIENT_ID": "jupyterhub",
        "HUB_API_CONNECT_URL": "http://hub:8081",
        "HUB_DATA_DIR": str(tmp_path),
        "HUB_CONFIG_FILE": str(tmp_path / "hub.toml"),
        "TRAEFIK_DYNAMIC_FILE": "/dynamic/hub.toml",
        "TRAEFIK_API_URL": "http://traefik:8099",
        "PROJECT_NAME": "p",
        "LAB_IMAGE": "p-lab",
        "LAB_HOST": "*.labs.localhost",
        "LAB_NETWORK_NAME": "labs",
        "LAB_NETWORK": "isolated",
        "LAB_PUBLIC_FOLDER": "/srv/data",
        "LAB_RUNTIME": "runsc",
        "AUTH_ALLOWED_GROUPS": "*",
        **dict.fromkeys(
            ("OAUTH_CLIENT_SECRET_FILE", "HUB_CRYPT_KEY_FILE", "TRAEFIK_API_PASSWORD_FILE"), str(tmp_path / "secret")
        ),
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    with RecordingEngine() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_port}")
        monkeypatch.setattr(Lab, "_client", None)
        monkeypatch.setattr("hub.network.start_check.find_fault", lambda *_: "")
        server.answers["/_ping"] = [(200, {})]
        yield server
        if Lab._client is not None:
            Lab._client.close()
        server.shutdown()


def start_lab(engine: RecordingEngine, *groups: str) -> LabContainer:
    """Start a lab with the hub's configuration, and return its container as the guard admits it."""
    folder = Path(__file__).parents[4] / "hub"
    config = PyFileConfigLoader("jupyterhub_config.py", path=str(folder)).load_config()
    user = SimpleNamespace(name="bob", url="/user/bob/", escaped_name="bob", groups=[])
    user.groups = [SimpleNamespace(name=group) for group in groups]
    lab = Lab(
        config=config,
        user=user,
        hub=SimpleNamespace(public_host="", api_url="http://hub:8081/hub/api", base_url="/hub/"),
        orm_spawner=SimpleNamespace(user_options={}, server=None, state={}, name=""),
        port=engine.server_port,
    )
    lab.clear_state()
    asyncio.run(lab.start())
    (body,) = engine.bodies("/containers/create")
    admitted = check_container(body, "p-lab-bob", build_rules(load_settings(os.environ, GuardSettings)))
    assert isinstance(admitted, LabContainer)
    return admitted


def test_lab_of_any_user_is_admitted(engine: RecordingEngine) -> None:
    assert start_lab(engine).HostConfig.Runtime == "runsc"


def test_lab_of_teacher_with_limits_and_gpu_is_admitted(engine: RecordingEngine) -> None:
    host = start_lab(engine, "staff").HostConfig
    assert (host.Memory, host.DeviceRequests[0].DeviceIDs, host.GroupAdd) == (8 * 1024**3, ["0"], ["10100"])
