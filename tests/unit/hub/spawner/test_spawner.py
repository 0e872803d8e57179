"""The lab spawner, against a Docker engine that records requests."""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import APIError
from jupyterhub.spawner import SpawnException
from jupyterhub.utils import format_exception

from hub.config.hub_toml import GroupRules, HubToml
from hub.spawner.docker import STOP_TIMEOUT, Lab, check_engine
from hub.spawner.profiles import limit_by_group
from tests.support.docker.guarded_engine import FakeEngine
from tests.support.docker.recording_engine import NETWORK, RecordingEngine


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordingEngine]:
    with RecordingEngine() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_port}")
        monkeypatch.setattr(Lab, "_client", None)
        yield server
        if Lab._client is not None:
            Lab._client.close()
        server.shutdown()


def lab(user: str = "bob", *groups: str, **changed: Any) -> Lab:
    settings = {
        "port": int(os.environ["DOCKER_HOST"].rpartition(":")[2]),  # the engine's server also plays the lab
        "mem_limit": "2G",
        "extra_host_config": {"cap_drop": ["ALL"]},
    } | changed
    return Lab(
        user=SimpleNamespace(
            name=user, url=f"/user/{user}/", escaped_name=user, groups=[SimpleNamespace(name=one) for one in groups]
        ),
        hub=SimpleNamespace(public_host="", api_url="http://hub:8081/hub/api", base_url="/hub/"),
        image="own",
        pull_policy="never",
        cmd=["jupyterhub-singleuser"],
        remove=True,
        prefix="passerelle-lab",
        network_name=NETWORK,
        **settings,
    )


def start(one: Lab) -> Any:
    """Start as JupyterHub does, which clears the state of the last run first."""
    one.clear_state()
    return asyncio.run(one.start())


def rejection(one: Lab) -> SpawnException:
    with pytest.raises(SpawnException) as caught:
        start(one)
    # JupyterHub's pages show this text.
    assert format_exception(caught.value, only_jupyterhub=True)[0] == caught.value.message
    return caught.value


def test_hooks_run_in_order_before_container_is_created(engine: RecordingEngine) -> None:
    calls: list[str] = []

    async def first(one: Lab) -> None:
        await asyncio.sleep(0.01)
        calls.append(f"first {one.user.name} {len(engine.bodies('/create'))}")

    def second(_one: Lab) -> None:
        calls.append("second")

    assert start(lab(before_start=[first, second])) == ("127.0.0.1", engine.server_port)
    assert calls == ["first bob 0", "second"]


def test_rejecting_hook_prevents_container(engine: RecordingEngine) -> None:
    def full(_one: Lab) -> None:
        raise SpawnException("Your home is full.", reason="quota")

    assert rejection(lab(before_start=[full])).message == "Your home is full."
    assert engine.bodies("/create") == []


def test_defective_hook_is_logged_with_traceback(engine: RecordingEngine, caplog: pytest.LogCaptureFixture) -> None:
    assert rejection(lab(before_start=[lambda _one: {}["a secret key"]])).reason == "engine_error"
    assert "Traceback" in caplog.text
    assert engine.bodies("/create") == []


def test_hook_changes_apply_to_one_start_only(engine: RecordingEngine) -> None:
    memory = iter(["4G", None])

    def once(one: Lab) -> None:
        if size := next(memory):
            one.mem_limit = size
            one.extra_host_config["pids_limit"] = 7
            one.volumes["course"] = "/course"

    one = lab(before_start=[once], volumes={"home-{username}": "/home"})
    start(one)
    start(one)

    before, after = (body["HostConfig"] for body in engine.bodies("/containers/create"))
    assert (before["Memory"], before["PidsLimit"], before["Binds"]) == (
        4 * 1024**3,
        7,
        ["home-bob:/home:rw", "course:/course:rw"],
    )
    assert (after["Memory"], after["Binds"]) == (2 * 1024**3, ["home-bob:/home:rw"])
    assert "PidsLimit" not in after


def test_labs_of_two_users_share_no_settings(engine: RecordingEngine) -> None:
    def more(one: Lab) -> None:
        if one.user.name == "alice":
            one.extra_host_config["pids_limit"] = 7

    shared = {"cap_drop": ["ALL"]}
    for name in ("alice", "bob"):
        start(lab(name, before_start=[more], extra_host_config=shared))

    assert [body["HostConfig"].get("PidsLimit") for body in engine.bodies("/containers/create")] == [7, None]


def test_group_gpus_are_in_container_request(engine: RecordingEngine) -> None:
    hook = limit_by_group(HubToml(groups={"vision": GroupRules(gpus=("0", "GPU-7f"))}))

    start(lab("bob", "vision", before_start=[hook]))
    start(lab("eve", "students", before_start=[hook]))

    bobs, eves = (body["HostConfig"] for body in engine.bodies("/containers/create"))
    (request,) = bobs["DeviceRequests"]
    assert (request["DeviceIDs"], request["Capabilities"]) == (["0", "GPU-7f"], [["gpu"]])
    assert not request["Count"]
    assert bobs["CapDrop"] == ["ALL"]
    assert not eves.get("DeviceRequests")


def test_slow_stop_does_not_delay_other_labs(engine: RecordingEngine) -> None:
    engine.slow["/containers/c0ffee/stop"] = 1.0

    async def stop_and_ask() -> None:
        slow, other = lab("alice"), lab("bob")
        slow.object_id = "c0ffee"
        stopping = asyncio.ensure_future(slow.stop_object())
        while not engine.bodies("/stop"):
            await asyncio.sleep(0.01)
        await other.poll()
        assert not stopping.done()
        await stopping

    asyncio.run(stop_and_ask())


def test_lab_is_stopped_with_short_timeout(engine: RecordingEngine) -> None:
    one = lab()
    one.object_id = "c0ffee"
    asyncio.run(one.stop_object())
    assert [path for _, path, _ in engine.requests if f"/stop?t={STOP_TIMEOUT}" in path]


def test_stop_of_missing_container_succeeds(engine: RecordingEngine) -> None:
    engine.answers["/stop"] = [(404, {"message": "No such container"})]
    one = lab()
    one.object_id = "c0ffee"
    asyncio.run(one.stop_object())


def test_start_waits_for_removal_of_last_container(engine: RecordingEngine) -> None:
    taken = (409, {"message": 'Conflict. The container name "/passerelle-lab-bob" is already in use by container "1"'})
    engine.answers["/containers/create"] = [taken]

    assert start(lab())
    assert len(engine.bodies("/containers/create")) == 2


def test_first_script_runs_before_the_server(engine: RecordingEngine, tmp_path: Path) -> None:
    program = ["sh", "-c", 'echo "$@"; pwd', "server"]
    one = lab(first_script="cd / && echo first && exit 3", args=["--a b"])
    one.before_start = [lambda each: setattr(each, "cmd", program)]
    start(one)
    (body,) = engine.bodies("/containers/create")

    done = subprocess.run(body["Cmd"], capture_output=True, text=True, check=True, cwd=tmp_path)

    first, arguments, folder = done.stdout.splitlines()
    assert (first, arguments.split("--")[1].strip(), folder) == ("first", "a b", str(tmp_path))


def test_missing_image_is_named_in_message(engine: RecordingEngine) -> None:
    engine.answers["/images/r-lab/json"] = [(404, {"message": "No such image: r-lab"})]

    one = lab()
    one.before_start = [lambda each: setattr(each, "image", "r-lab")]

    assert "The image r-lab of your lab is not on the server" in str(rejection(one).message)


def test_unreachable_engine_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    monkeypatch.setattr(Lab, "_client", None)

    assert rejection(lab()).reason == "engine_down"


def test_hub_waits_for_a_guard_that_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'late.sock'}")
    started: list[FakeEngine] = []

    def start_late() -> None:
        started.append(FakeEngine(tmp_path / "late.sock"))
        started[0].serve_forever(poll_interval=0.02)

    timer = threading.Timer(0.4, start_late)
    timer.daemon = True
    timer.start()
    try:
        check_engine()
    finally:
        started[0].shutdown()
        started[0].server_close()


def test_slow_engine_is_reported(engine: RecordingEngine) -> None:
    engine.slow["/images/own/json"] = 1.5

    assert rejection(lab(client_kwargs={"timeout": 0.5})).reason == "engine_slow"


def ended(**state: Any) -> tuple[int, Any]:
    usual = {"Running": False, "ExitCode": 1, "Error": "", "FinishedAt": "2026-11-23T12:00:00Z"}
    return 200, {"Id": "c0ffee", "State": usual | state}


@pytest.mark.parametrize(
    ("state", "reason", "text"),
    [
        ({}, "lab_ended", "The cause is often a package or a setting in your home"),
        ({"ExitCode": 127}, "image_unfit", "The image own contains no JupyterHub server"),
        ({"OOMKilled": True, "ExitCode": 137}, "lab_out_of_memory", "exceeded its memory limit (2 GB)"),
    ],
)
def test_lab_exit_during_start_is_reported_with_logged_output(
    engine: RecordingEngine, state: dict[str, Any], reason: str, text: str
) -> None:
    engine.answers["/containers/passerelle-lab-bob/json"] = [(404, {"message": "none yet"}), ended(**state)]
    engine.answers["/containers/c0ffee/logs"] = [(200, b"ImportError: jupyterlab\n[I forged] line\n")]
    one = lab(port=1)
    error = rejection(one)

    assert (error.reason, text in error.message) == (reason, True)
    assert "ImportError" not in error.message
    assert "ImportError: jupyterlab\\n[I forged] line" in error.log_message, (
        "the output is quoted, so it stays on one line"
    )
    assert [path for method, path, _ in engine.requests if method == "DELETE" and "/containers/c0ffee" in path]


def test_ended_lab_container_is_removed(engine: RecordingEngine, caplog: pytest.LogCaptureFixture) -> None:
    engine.answers["/containers/passerelle-lab-bob/json"] = [ended(ExitCode=3)]

    status = asyncio.run(lab().poll())

    assert "ExitCode=3" in status
    assert "bob ended by itself: ExitCode=3" in caplog.text
    assert [path for method, path, _ in engine.requests if method == "DELETE" and "/containers/c0ffee" in path]


def test_engine_fault_is_not_a_stopped_lab(engine: RecordingEngine) -> None:
    engine.answers["/containers/passerelle-lab-bob/json"] = [(500, {"message": "database is locked"})]

    with pytest.raises(APIError):
        asyncio.run(lab().poll())


TROUBLE = (500, {"message": "database is locked"})


def poll_at_hub_start() -> Any:
    one = lab()
    one._check_pending = True
    return asyncio.run(one.poll())


@pytest.mark.parametrize(("state", "status"), [({"Running": True}, None), ({"ExitCode": 3}, "ExitCode=3")])
def test_poll_at_hub_start_is_retried(
    engine: RecordingEngine, monkeypatch: pytest.MonkeyPatch, state: dict[str, Any], status: str | None
) -> None:
    """Otherwise, JupyterHub would stop the lab."""
    monkeypatch.setattr("hub.spawner.docker.RETRY_DELAY", 0.01)
    engine.answers["/containers/passerelle-lab-bob/json"] = [TROUBLE, TROUBLE, ended(**state)]

    result = poll_at_hub_start()

    assert result is None if status is None else status in result


def test_lab_counts_as_running_without_engine_at_hub_start(
    engine: RecordingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.spawner.docker.ENGINE_RESTART_TIMEOUT", 0.1)
    engine.answers["/containers/passerelle-lab-bob/json"] = [TROUBLE] * 10

    assert poll_at_hub_start() is None


@pytest.mark.parametrize("name", ["jean-pierre", "a.b@c", "7of9", "a" * 63, "a-2eb"])
def test_container_and_volume_names_are_stable(engine: RecordingEngine, name: str) -> None:
    start(lab(name, volumes={"home-{username}": "/home"}))

    (created,) = [path for _, path, _ in engine.requests if "/containers/create" in path]
    (body,) = engine.bodies("/containers/create")
    escaped = name.replace("-", "-2d").replace(".", "-2e").replace("@", "-40")
    assert created.endswith(f"name=passerelle-lab-{escaped}")
    assert body["HostConfig"]["Binds"] == [f"home-{escaped}:/home:rw"]
