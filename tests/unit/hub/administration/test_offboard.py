"""Offboarding ends all access first, and waits until the home is unused."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import APIError  # type: ignore[import-untyped]

from hub.administration import AdministrationError, engine, offboard
from hub.administration.engine import Engine
from hub.administration.restore import block_lab
from hub.administration.volume_names import Volume
from hub.config.settings import RESTORE_MARKS
from hub.storage.quota import Ledger, Usage
from hub.storage.volumes import LABEL
from hub.web.terms import Acceptances, Terms
from tests.support.hub.backups import write

HOME = Volume("home", "bob", "hub-home-bob")
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


class Bridge:
    """`passerelle sessions …` in the bridge's container."""

    def __init__(self, *subjects: str, ends: bool = True, status: int = 0, output: str = "") -> None:
        self.subjects, self.ends, self.status, self.output = list(subjects), ends, status, output
        self.ended: list[str] = []

    def answer(self, words: list[str]) -> tuple[int, bytes]:
        assert words[:2] == ["passerelle", "sessions"]
        if words[2] == "subjects":
            assert words[3:] == ["--json", "--", "bob"]
            output = self.output or json.dumps([{"subject": one} for one in self.subjects])
            return self.status, output.encode()
        assert words[2] == "end"
        assert words[4] == "--all-access"
        subject = words[3].removeprefix("--subject=")
        self.ended.append(subject)
        if self.ends:
            self.subjects.remove(subject)
            return 0, b"1 session ended."
        return 1, b"Error: the database is locked."


class Containers:
    """The containers that use the home's volume: their names, and whether they measure it."""

    def __init__(self, **tools: bool) -> None:
        self.tools = tools

    def __call__(self) -> list[Any]:
        return [
            SimpleNamespace(
                name=name, labels={LABEL: "hub"} if tool else {}, remove=lambda force, name=name: self._remove(name)
            )
            for name, tool in self.tools.items()
        ]

    def _remove(self, name: str) -> None:
        if not self.tools.pop(name, None):
            raise APIError("404", explanation="no such container")


def engine_with(bridge: Bridge | None, users: Containers, removed: list[str], refusals: int = 0) -> Engine:
    class Own:
        labels = {"com.docker.compose.project": "hub"}  # noqa: RUF012

    class Client:
        def __init__(self) -> None:
            self.containers = self.volumes = self
            self.refusals = refusals

        def list(self, *, all: bool = False, filters: dict[str, str] | None = None, **_: Any) -> list[Any]:
            filters = filters or {}
            if "volume" in filters:
                assert filters == {"volume": HOME.name}
                return users()
            runs = SimpleNamespace(
                labels={"com.docker.compose.service": "bridge"},
                exec_run=bridge.answer if bridge else None,
            )
            return [runs] if bridge else []

        def get(self, name: str) -> Any:
            return SimpleNamespace(remove=lambda: self.remove(name))

        def remove(self, name: str) -> None:
            if self.refusals:
                self.refusals -= 1
                raise APIError("in use", explanation="volume is in use")
            removed.append(name)

    return Engine(Client(), Own())


def plan(**changed: Any) -> offboard.Plan:
    usual: dict[str, Any] = {"known": False, "labs": (), "subjects": (), "home": None, "days": 1, "folder": "/x"}
    return offboard.Plan(**{"user": "bob", **usual, **changed})


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("HUB_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("AUTH_METHOD", raising=False)
    monkeypatch.setattr(engine, "POLL_INTERVAL", 0)
    return tmp_path


def carry_out(engine: Engine, wanted: offboard.Plan) -> dict[str, Any]:
    return offboard.carry_out(engine, SimpleNamespace(), wanted)  # type: ignore[arg-type]  # the user is not in the hub


UNUSED = Containers()


def test_every_subject_of_the_name_loses_its_access() -> None:
    bridge = Bridge("Bob", "4711")
    carry_out(engine_with(bridge, UNUSED, []), plan())
    assert bridge.ended == ["Bob", "4711"]


def test_remaining_access_at_the_bridge_is_an_error() -> None:
    with pytest.raises(AdministrationError, match=r"still has access of Bob: Error: the database is locked"):
        carry_out(engine_with(Bridge("Bob", ends=False), UNUSED, []), plan())


@pytest.mark.parametrize(
    "bridge", [Bridge(status=1, output="Error: the database cannot be reached"), Bridge(output="Traceback …"), None]
)
def test_bridge_that_does_not_answer_stops_offboarding(bridge: Bridge | None) -> None:
    fake = engine_with(bridge, UNUSED, [])
    with pytest.raises(AdministrationError, match=r"bridge"):
        offboard.find_subjects(fake, "bob")
    with pytest.raises(AdministrationError, match=r"bridge"):
        carry_out(fake, plan())


def test_stopped_bridge_is_accepted_with_another_sign_in(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUTH_METHOD", "ldap")
    assert offboard.find_subjects(engine_with(None, UNUSED, []), "bob") == []
    assert "bridge does not run" in capsys.readouterr().err


def test_records_of_the_hub_are_deleted(data: Path) -> None:
    terms = Terms("v1", {"en": "Be kind."}, is_markdown=False)
    for user in ("bob", "ann"):
        Acceptances(data).accept(user, terms)
        Ledger(data).write(f"hub-home-{user}", Usage(1, 1.0))
    hub = engine_with(Bridge(), UNUSED, [])
    assert offboard.has_records(hub, "bob")
    assert plan(home=HOME).steps[-1] == plan(has_records=True).steps[0]  # a home is measured when its lab stops
    assert plan(has_records=True).steps == ["delete the records of bob: terms accepted, size of the home"]

    carry_out(hub, plan(has_records=True))
    assert not offboard.has_records(hub, "bob")
    assert Acceptances(data).when("bob", "v1", since=BEGAN) is None
    assert offboard.has_records(hub, "ann")


def test_mark_of_an_unfinished_restore_is_deleted(data: Path) -> None:
    mark = write(data / RESTORE_MARKS / "home/bob")
    offboard.delete_records(engine_with(None, UNUSED, []), "bob")
    assert not mark.exists()


def test_restore_of_a_home_blocks_its_lab(data: Path) -> None:
    block_lab(engine_with(None, Containers(tool=True), []), "bob", "1a2b")
    assert (data / RESTORE_MARKS / "home/bob").read_text() == "1a2b"


def test_restore_of_a_home_whose_lab_has_started_is_rejected(data: Path) -> None:
    with pytest.raises(AdministrationError, match="in use by lab"):
        block_lab(engine_with(None, Containers(lab=False), []), "bob", "1a2b")
    assert not (data / RESTORE_MARKS / "home/bob").exists()


def test_looking_for_records_creates_no_database(data: Path) -> None:
    hub = engine_with(None, UNUSED, [])
    assert not offboard.has_records(hub, "bob")
    offboard.delete_records(hub, "bob")
    assert list(data.iterdir()) == []


def test_containers_that_measure_a_home_are_removed() -> None:
    users = Containers(tool=True, other=True)
    engine_with(None, users, []).release_volume(HOME.name)
    assert users.tools == {}


def test_measurement_that_ends_meanwhile_is_no_error() -> None:
    users = Containers(tool=True)
    found = users()
    users.tools.clear()
    fake = engine_with(None, users, [])
    fake.client.list = lambda **_: found
    fake.release_volume(HOME.name)


def test_home_in_use_is_not_archived() -> None:
    users = Containers(tool=True, lab=False)
    with pytest.raises(AdministrationError, match=r"in use by lab: remove it"):
        carry_out(engine_with(Bridge(), users, []), plan(home=HOME))


def test_volume_is_removed_after_a_late_measurement() -> None:
    removed: list[str] = []
    engine_with(None, UNUSED, removed, refusals=1).remove_volume(HOME.name)
    assert removed == [HOME.name]


def test_volume_that_cannot_be_removed_is_reported() -> None:
    with pytest.raises(AdministrationError, match="cannot be removed: volume is in use"):
        engine_with(None, UNUSED, [], refusals=9).remove_volume(HOME.name)
