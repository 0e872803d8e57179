"""Start of the hub with running labs and a faulty engine, with the real JupyterHub.

At its start, JupyterHub treats an error of the spawner as the end of a lab and stops it.
"""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.support.docker.recording_engine import NETWORK, RecordingEngine
from tests.support.hub.hub_labs import start_lab
from tests.support.hub.hub_process import HubProcess

CONTAINER = "/containers/lab-bob/json"
RUNNING = (
    200,
    {
        "Id": "c0ffee",
        "State": {"Running": True},
        "Config": {"Tty": True},
        "NetworkSettings": {"Networks": {NETWORK: {"IPAddress": "127.0.0.1"}}},
    },
)
TROUBLE = (500, {"message": "database is locked"})
SITE = """\
from hub.spawner.docker import Lab
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.refresh_pre_spawn = False
c.JupyterHub.spawner_class = Lab
c.DockerSpawner.port = {port}  # the engine's server also plays the lab
c.DockerSpawner.image = "own"
c.DockerSpawner.pull_policy = "never"
c.DockerSpawner.prefix = "lab"
c.DockerSpawner.remove = True
c.DockerSpawner.cmd = ["jupyterhub-singleuser"]
c.DockerSpawner.network_name = "{network}"
"""


@pytest.mark.parametrize("faults", [1, 2])
def test_lab_survives_engine_fault_at_hub_start(tmp_path: Path, faults: int) -> None:
    hub = HubProcess(tmp_path)
    with RecordingEngine() as engine:
        threading.Thread(target=engine.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        hub.add_config("30-labs.py", SITE.format(port=engine.server_port, network=NETWORK))
        hub.with_environment({})
        hub.environment["DOCKER_HOST"] = f"tcp://127.0.0.1:{engine.server_port}"
        with hub:
            hub.request("POST", "/users/bob", hub.token)
            token = hub.create_token("bob")
            start_lab(hub, "bob", token)
            engine.answers[CONTAINER] = [RUNNING] * 20
        engine.answers[CONTAINER] = [TROUBLE] * faults + [RUNNING] * 100
        with hub:
            assert hub.request("GET", "/user", token).json()["server"] == "/user/bob/", hub.log[-3000:]
        assert engine.bodies("/stop") == [], "the hub must not stop the lab"
        engine.shutdown()
    assert "Cannot ask the engine whether bob runs" in hub.log
