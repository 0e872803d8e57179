"""Offboarding: nobody is called out while the bridge knows of them, or while somebody is at their home."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import APIError  # type: ignore[import-untyped]

from hub.administration import free_volume, offboard
from hub.administration.engine import Engine
from hub.administration.faults import AdministrationError
from hub.administration.names import Volume
from hub.administration.user_records import Traces
from hub.storage.quota import Usage, ledger_in
from hub.storage.volumes import LABEL
from hub.web.terms import Terms
from hub.web.terms_store import acceptances_in

HOME = Volume("home", "bob", "hub-home-bob")
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


class Bridge:
    """`passerelle sessions …` in the bridge's container, as far as offboarding asks it."""

    def __init__(self, *subjects: str, ends: bool = True, status: int = 0, said: str = "") -> None:
        self.subjects, self.ends, self.status, self.said = list(subjects), ends, status, said
        self.ended: list[str] = []

    def answer(self, words: list[str]) -> tuple[int, bytes]:
        assert words[:2] == ["passerelle", "sessions"]
        if words[2] == "subjects":
            assert words[3:] == ["--json", "--", "bob"]
            told = self.said or json.dumps([{"subject": one} for one in self.subjects])
            return self.status, told.encode()
        assert words[2] == "end"
        assert words[4] == "--all-access"
        subject = words[3].removeprefix("--subject=")
        self.ended.append(subject)
        if self.ends:
            self.subjects.remove(subject)
            return 0, b"1 session ended."
        return 1, b"Error: the database is locked."


class Containers:
    """One look after the other at who has the home's volume."""

    def __init__(self, *looks: dict[str, bool]) -> None:
        self.looks = list(looks)

    def __call__(self) -> list[Any]:
        look = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        return [SimpleNamespace(name=name, labels={LABEL: "hub"} if tool else {}) for name, tool in look.items()]


def engine_with(bridge: Bridge | None, at_home: Containers, removed: list[str], refusals: int = 0) -> Engine:
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
                return at_home()
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
    monkeypatch.setattr(free_volume, "LOOKS_EVERY", 0)
    return tmp_path


def carry_out(engine: Engine, wanted: offboard.Plan) -> dict[str, Any]:
    return offboard.carry_out(engine, SimpleNamespace(), wanted)  # type: ignore[arg-type]  # the hub is not asked


NOBODY = Containers({})


def test_every_subject_of_the_name_loses_sessions_and_access() -> None:
    bridge = Bridge("Bob", "4711")
    carry_out(engine_with(bridge, NOBODY, []), plan())
    assert bridge.ended == ["Bob", "4711"]


def test_nobody_is_out_while_the_bridge_knows_of_them() -> None:
    with pytest.raises(AdministrationError, match=r"still has access of Bob: Error: the database is locked"):
        carry_out(engine_with(Bridge("Bob", ends=False), NOBODY, []), plan())


@pytest.mark.parametrize(
    "bridge", [Bridge(status=1, said="Error: the database cannot be reached"), Bridge(said="Traceback …"), None]
)
def test_a_bridge_that_does_not_answer_is_no_bridge_without_sessions(bridge: Bridge | None) -> None:
    engine = engine_with(bridge, NOBODY, [])
    with pytest.raises(AdministrationError, match=r"bridge"):
        offboard.subjects_of(engine, "bob")
    with pytest.raises(AdministrationError, match=r"bridge"):
        carry_out(engine, plan())


def test_a_bridge_that_nobody_signs_in_by_may_be_off(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUTH_METHOD", "ldap")
    assert offboard.subjects_of(engine_with(None, NOBODY, []), "bob") == []
    assert "bridge does not run" in capsys.readouterr().err


def test_what_the_hub_noted_is_forgotten_with_the_rest(data: Path) -> None:
    terms = Terms("v1", {"en": "Be kind."}, is_markdown=False)
    for user in ("bob", "ann"):
        acceptances_in(data).accept(user, terms)
        ledger_in(data).write(f"hub-home-{user}", Usage(1, 1.0))
    bobs = Traces(data, "bob", HOME.name)
    assert bobs.there()
    assert plan(home=HOME).steps[-1] == plan(noted=True).steps[0]  # a home is measured when its lab stops
    assert plan(noted=True).steps == ["forget which terms of use bob accepted, and how large the home was"]

    carry_out(engine_with(Bridge(), NOBODY, []), plan(noted=True))
    assert not bobs.there()
    assert acceptances_in(data).when("bob", "v1", since=BEGAN) is None
    assert Traces(data, "ann", "hub-home-ann").there()


def test_no_database_of_acceptances_is_made_by_asking(data: Path) -> None:
    traces = Traces(data, "bob", HOME.name)
    assert not traces.there()
    traces.forget()
    assert list(data.iterdir()) == []


def test_a_home_that_is_being_measured_is_waited_for() -> None:
    at_home = Containers({"tool": True}, {"tool": True}, {})
    free_volume.wait_until_free(engine_with(None, at_home, []), HOME.name)
    assert at_home.looks == [{}]


def test_whoever_else_is_at_a_home_is_named_and_nothing_is_archived() -> None:
    with pytest.raises(AdministrationError, match=r"in use by a-lab: stop that"):
        carry_out(engine_with(Bridge(), Containers({"tool": True, "a-lab": False}), []), plan(home=HOME))


def test_a_measurement_that_never_ends_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(free_volume, "WITHIN", 0)
    with pytest.raises(AdministrationError, match=r"measured by tool for too long"):
        free_volume.wait_until_free(engine_with(None, Containers({"tool": True}), []), HOME.name)


def test_a_measurement_that_begins_meanwhile_does_not_keep_the_volume() -> None:
    removed: list[str] = []
    at_home = Containers({}, {"tool": True}, {"tool": True}, {})
    free_volume.remove(engine_with(None, at_home, removed, refusals=1), HOME.name)
    assert removed == [HOME.name]


def test_a_volume_that_the_engine_keeps_for_another_reason_is_told() -> None:
    with pytest.raises(AdministrationError, match="cannot be removed: volume is in use"):
        free_volume.remove(engine_with(None, NOBODY, [], refusals=9), HOME.name)
