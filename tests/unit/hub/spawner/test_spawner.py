"""The class of labs, against a Docker engine that writes down what it is asked."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import APIError
from jupyterhub.spawner import SpawnException
from jupyterhub.utils import format_exception

from hub.config.hub_toml import GroupRules, HubToml
from hub.spawner.docker import STOPS_WITHIN, Lab
from hub.spawner.resource_limits import limit_by_group
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
        "port": int(os.environ["DOCKER_HOST"].rpartition(":")[2]),  # the lab answers where the engine does
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
    """As JupyterHub does it: the last run is forgotten first."""
    one.clear_state()
    return asyncio.run(one.start())


def refusal(one: Lab) -> SpawnException:
    with pytest.raises(SpawnException) as caught:
        start(one)
    # What the pages of JupyterHub show.
    assert format_exception(caught.value, only_jupyterhub=True)[0] == caught.value.message
    return caught.value


def test_hooks_run_in_their_order_before_the_container_is_made(engine: RecordingEngine) -> None:
    told: list[str] = []

    async def first(one: Lab) -> None:
        await asyncio.sleep(0.01)
        told.append(f"first {one.user.name} {len(engine.bodies('/create'))}")

    def second(_one: Lab) -> None:
        told.append("second")

    assert start(lab(before_start=[first, second])) == ("127.0.0.1", engine.server_port)
    assert told == ["first bob 0", "second"]


def test_a_hook_that_refuses_keeps_the_container_from_being_made(engine: RecordingEngine) -> None:
    def full(_one: Lab) -> None:
        raise SpawnException("Your home is full.", reason="quota")

    assert refusal(lab(before_start=[full])).message == "Your home is full."
    assert engine.bodies("/create") == []


def test_a_mistake_in_a_hook_is_a_sentence_and_a_traceback_in_the_log(
    engine: RecordingEngine, caplog: pytest.LogCaptureFixture
) -> None:
    assert refusal(lab(before_start=[lambda _one: {}["a secret key"]])).reason == "engine_error"
    assert "Traceback" in caplog.text
    assert engine.bodies("/create") == []


def test_what_a_hook_gave_for_one_start_is_gone_at_the_next(engine: RecordingEngine) -> None:
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


def test_labs_of_two_people_share_no_settings(engine: RecordingEngine) -> None:
    def more(one: Lab) -> None:
        if one.user.name == "alice":
            one.extra_host_config["pids_limit"] = 7

    shared = {"cap_drop": ["ALL"]}
    for name in ("alice", "bob"):
        start(lab(name, before_start=[more], extra_host_config=shared))

    assert [body["HostConfig"].get("PidsLimit") for body in engine.bodies("/containers/create")] == [7, None]


def test_gpus_of_a_group_are_in_the_request_that_makes_the_container(engine: RecordingEngine) -> None:
    hook = limit_by_group(HubToml(groups={"vision": GroupRules(gpus=("0", "GPU-7f"))}))

    start(lab("bob", "vision", before_start=[hook]))
    start(lab("eve", "students", before_start=[hook]))

    bobs, eves = (body["HostConfig"] for body in engine.bodies("/containers/create"))
    (request,) = bobs["DeviceRequests"]
    assert (request["DeviceIDs"], request["Capabilities"]) == (["0", "GPU-7f"], [["gpu"]])
    assert not request["Count"]
    assert bobs["CapDrop"] == ["ALL"]
    assert not eves.get("DeviceRequests")


def test_one_slow_stop_holds_nobody_else(engine: RecordingEngine) -> None:
    engine.slow["/containers/c0ffee/stop"] = 1.0

    async def stop_and_ask() -> float:
        slow, other = lab("alice"), lab("bob")
        slow.object_id = "c0ffee"
        stopping = asyncio.ensure_future(slow.stop_object())
        while not engine.bodies("/stop"):
            await asyncio.sleep(0.01)
        began = time.monotonic()
        await other.poll()
        took = time.monotonic() - began
        assert not stopping.done()
        await stopping
        return took

    assert asyncio.run(stop_and_ask()) < 0.9


def test_a_lab_that_does_not_stop_is_ended_soon(engine: RecordingEngine) -> None:
    one = lab()
    one.object_id = "c0ffee"
    asyncio.run(one.stop_object())
    assert [path for _, path, _ in engine.requests if f"/stop?t={STOPS_WITHIN}" in path]


def test_a_lab_that_is_gone_has_stopped(engine: RecordingEngine) -> None:
    engine.answers["/stop"] = [(404, {"message": "No such container"})]
    one = lab()
    one.object_id = "c0ffee"
    asyncio.run(one.stop_object())


def test_a_start_waits_until_the_last_container_is_removed(engine: RecordingEngine) -> None:
    taken = (409, {"message": 'Conflict. The container name "/passerelle-lab-bob" is already in use by container "1"'})
    engine.answers["/containers/create"] = [taken]

    assert start(lab())
    assert len(engine.bodies("/containers/create")) == 2


def test_an_image_that_is_missing_is_told_by_its_name(engine: RecordingEngine) -> None:
    engine.answers["/images/r-lab/json"] = [(404, {"message": "No such image: r-lab"})]

    one = lab()
    one.before_start = [lambda each: setattr(each, "image", "r-lab")]

    assert "The image r-lab, from which your lab would start, is not on the server" in str(refusal(one).message)


def test_an_engine_that_is_gone_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    monkeypatch.setattr(Lab, "_client", None)

    assert refusal(lab()).reason == "engine_down"


def test_an_engine_that_never_answers_is_a_sentence(engine: RecordingEngine) -> None:
    engine.slow["/images/own/json"] = 1.5

    assert refusal(lab(client_kwargs={"timeout": 0.5})).reason == "engine_slow"


def ended(**state: Any) -> tuple[int, Any]:
    usual = {"Running": False, "ExitCode": 1, "Error": "", "FinishedAt": "2026-11-23T12:00:00Z"}
    return 200, {"Id": "c0ffee", "State": usual | state}


@pytest.mark.parametrize(
    ("state", "reason", "words"),
    [
        ({}, "lab_ended", "Often the reason is a package or a setting in your home"),
        ({"ExitCode": 127}, "image_unfit", "The image own holds no JupyterHub server"),
        ({"OOMKilled": True, "ExitCode": 137}, "lab_out_of_memory", "more than its limit of memory (2 GB)"),
    ],
)
def test_a_lab_that_ends_while_it_starts_is_told_at_once_with_its_last_words_in_the_log(
    engine: RecordingEngine, state: dict[str, Any], reason: str, words: str
) -> None:
    engine.answers["/containers/passerelle-lab-bob/json"] = [(404, {"message": "none yet"}), ended(**state)]
    engine.answers["/containers/c0ffee/logs"] = [(200, b"ImportError: jupyterlab\n[I forged] line\n")]
    one = lab(port=1)
    began = time.monotonic()

    told = refusal(one)

    assert time.monotonic() - began < 5
    assert (told.reason, words in told.message) == (reason, True)
    assert "ImportError" not in told.message
    assert "ImportError: jupyterlab\\n[I forged] line" in told.log_message, "as one line, whatever the lab printed"
    assert [path for method, path, _ in engine.requests if method == "DELETE" and "/containers/c0ffee" in path]


def test_a_lab_that_ended_by_itself_leaves_no_container(
    engine: RecordingEngine, caplog: pytest.LogCaptureFixture
) -> None:
    engine.answers["/containers/passerelle-lab-bob/json"] = [ended(ExitCode=3)]

    status = asyncio.run(lab().poll())

    assert "ExitCode=3" in status
    assert "bob ended by itself: ExitCode=3" in caplog.text
    assert [path for method, path, _ in engine.requests if method == "DELETE" and "/containers/c0ffee" in path]


def test_an_engine_in_trouble_has_stopped_no_lab(engine: RecordingEngine) -> None:
    engine.answers["/containers/passerelle-lab-bob/json"] = [(500, {"message": "database is locked"})]

    with pytest.raises(APIError):
        asyncio.run(lab().poll())


TROUBLE = (500, {"message": "database is locked"})


def poll_at_the_start_of_the_hub() -> Any:
    one = lab()
    one._check_pending = True
    return asyncio.run(one.poll())


@pytest.mark.parametrize(("state", "status"), [({"Running": True}, None), ({"ExitCode": 3}, "ExitCode=3")])
def test_an_engine_in_trouble_while_the_hub_starts_is_asked_again(
    engine: RecordingEngine, monkeypatch: pytest.MonkeyPatch, state: dict[str, Any], status: str | None
) -> None:
    """JupyterHub stops what it cannot ask about then."""
    monkeypatch.setattr("hub.spawner.docker.ASKED_AGAIN_AFTER", 0.01)
    engine.answers["/containers/passerelle-lab-bob/json"] = [TROUBLE, TROUBLE, ended(**state)]

    told = poll_at_the_start_of_the_hub()

    assert told is None if status is None else status in told


def test_a_lab_that_no_engine_knows_of_while_the_hub_starts_is_left_to_the_hub_to_reach(
    engine: RecordingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.spawner.docker.ENGINE_IS_BACK_WITHIN", 0.1)
    engine.answers["/containers/passerelle-lab-bob/json"] = [TROUBLE] * 10

    assert poll_at_the_start_of_the_hub() is None


@pytest.mark.parametrize("name", ["jean-pierre", "a.b@c", "7of9", "a" * 63, "a-2eb"])
def test_the_container_and_the_home_of_a_name_stay_what_they_are(engine: RecordingEngine, name: str) -> None:
    start(lab(name, volumes={"home-{username}": "/home"}))

    (created,) = [path for _, path, _ in engine.requests if "/containers/create" in path]
    (body,) = engine.bodies("/containers/create")
    escaped = name.replace("-", "-2d").replace(".", "-2e").replace("@", "-40")
    assert created.endswith(f"name=passerelle-lab-{escaped}")
    assert body["HostConfig"]["Binds"] == [f"home-{escaped}:/home:rw"]
