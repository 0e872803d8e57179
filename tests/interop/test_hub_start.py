"""The hub starts while labs run and the engine is in trouble: JupyterHub as it is, and an engine that answers as told.

JupyterHub takes whatever goes wrong in this moment for a lab that has ended, and stops it.
"""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.support.docker.recording_engine import NETWORK, RecordingEngine
from tests.support.hub.hub_labs import starts_lab
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
c.DockerSpawner.port = {port}  # the lab answers where the engine does
c.DockerSpawner.image = "own"
c.DockerSpawner.pull_policy = "never"
c.DockerSpawner.prefix = "lab"
c.DockerSpawner.remove = True
c.DockerSpawner.cmd = ["jupyterhub-singleuser"]
c.DockerSpawner.network_name = "{network}"
"""


@pytest.mark.parametrize("faults", [1, 2])
def test_a_lab_outlives_an_engine_that_is_in_trouble_while_the_hub_starts(tmp_path: Path, faults: int) -> None:
    hub = HubProcess(tmp_path)
    with RecordingEngine() as engine:
        threading.Thread(target=engine.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        hub.configured("30-labs.py", SITE.format(port=engine.server_port, network=NETWORK))
        hub.with_settings({})
        hub.environment["DOCKER_HOST"] = f"tcp://127.0.0.1:{engine.server_port}"
        with hub:
            hub.asks("POST", "/users/bob", hub.token)
            token = hub.token_of("bob")
            starts_lab(hub, "bob", token)
            engine.answers[CONTAINER] = [RUNNING] * 20
        engine.answers[CONTAINER] = [TROUBLE] * faults + [RUNNING] * 100
        with hub:
            assert hub.asks("GET", "/user", token).json()["server"] == "/user/bob/", hub.log[-3000:]
        assert engine.bodies("/stop") == [], "nobody asked the engine to stop it"
        engine.shutdown()
    assert "Cannot ask the engine whether bob runs" in hub.log
