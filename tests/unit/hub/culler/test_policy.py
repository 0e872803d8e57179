"""How long a lab may live, by everybody's limits and by those of groups, and which labs are due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.config.hub_toml import GroupRules, HubToml
from hub.culler.policy import Lifetimes, Limits, Stop, idle_arguments, stop_of
from hub.culler.service import Due, find_due

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def lifetimes(everybody: Limits, **groups: GroupRules) -> Lifetimes:
    return Lifetimes(everybody, HubToml(groups=groups))


def server(started: datetime, last_activity: datetime | None = None, **more: Any) -> dict[str, Any]:
    active = None if last_activity is None else last_activity.isoformat()
    return {"started": started.isoformat(), "last_activity": active, "ready": True, "pending": None, **more}


@pytest.mark.parametrize(
    ("groups", "limits"),
    [
        ((), Limits(60, 600)),
        (("strangers",), Limits(60, 600)),
        (("students",), Limits(30, 600)),  # a group may be given less than everybody
        (("students", "staff"), Limits(120, 600)),
        (("students", "staff", "admins"), Limits(0, 600)),  # never is the most generous
        (("admins",), Limits(0, 600)),
    ],
)
def test_of_several_groups_the_most_generous_counts(groups: tuple[str, ...], limits: Limits) -> None:
    every = lifetimes(
        Limits(60, 600),
        students=GroupRules(idle_timeout=30),
        staff=GroupRules(idle_timeout=120),
        admins=GroupRules(idle_timeout=0),
    )
    assert every.of(groups) == limits


@pytest.mark.parametrize(
    ("limits", "used", "stop"),
    [
        (Limits(), 10, None),
        (Limits(idle_timeout=60), 10, Stop(after(70), "idle")),
        (Limits(idle_timeout=60), None, Stop(after(60), "idle")),  # never used: since its start
        (Limits(max_age=60), 59, Stop(after(60), "age")),
        (Limits(idle_timeout=60, max_age=100), 10, Stop(after(70), "idle")),
        (Limits(idle_timeout=60, max_age=100), 90, Stop(after(100), "age")),
    ],
)
def test_the_clock_that_ends_first_decides(limits: Limits, used: int | None, stop: Stop | None) -> None:
    assert stop_of(NOON, None if used is None else after(used), limits) == stop


def test_the_shortest_limit_of_anybody_decides_how_often_labs_report_their_use() -> None:
    assert lifetimes(Limits()).shortest == 0
    assert lifetimes(Limits()).report_every == 300
    assert lifetimes(Limits(3600, 0)).report_every == 300
    assert lifetimes(Limits(3600, 0), students=GroupRules(idle_timeout=600)).report_every == 100
    assert lifetimes(Limits(3600, 0), students=GroupRules(max_age=1)).report_every == 1


def test_idle_kernels_and_terminals_end_inside_the_lab_but_not_before_it() -> None:
    told = idle_arguments(Limits(idle_timeout=3600))
    assert "--MappingKernelManager.cull_idle_timeout=4500" in told
    assert "--MappingKernelManager.cull_connected=True" in told
    assert "--TerminalManager.cull_inactive_timeout=4500" in told
    assert not [argument for argument in told if "cull_busy" in argument]
    assert idle_arguments(Limits(max_age=60)) == []


def test_only_labs_whose_time_is_over_are_due() -> None:
    users: list[dict[str, Any]] = [
        {"name": "idle", "groups": [], "servers": {"": server(NOON, after(30)), "used": server(NOON, after(95))}},
        {"name": "old", "groups": ["exam"], "servers": {"": server(NOON, after(100))}},
        {"name": "kept", "groups": ["staff"], "servers": {"": server(NOON)}},
        {"name": "stopping", "groups": [], "servers": {"": server(NOON, pending="stop")}},
        {"name": "starting", "groups": [], "servers": {"": server(NOON, ready=False)}},
        {"name": "nothing"},
    ]
    every = lifetimes(
        Limits(idle_timeout=60), exam=GroupRules(max_age=100, idle_timeout=0), staff=GroupRules(idle_timeout=0)
    )
    due = find_due(users, every, after(100))
    assert [(one.user, one.server, one.stop.why) for one in due] == [("idle", "", "idle"), ("old", "", "age")]


def test_a_time_without_a_zone_is_utc() -> None:
    users = [{"name": "a", "servers": {"": server(NOON.replace(tzinfo=None))}}]
    assert len(find_due(users, lifetimes(Limits(idle_timeout=60)), after(60))) == 1
    assert find_due(users, lifetimes(Limits(idle_timeout=60)), after(59)) == []


def test_names_stay_names_in_the_address_that_stops_a_lab() -> None:
    stop = Stop(NOON, "idle")
    assert Due("a/b?c", "", stop).path == "/users/a%2Fb%3Fc/server"
    assert Due("jean@x.example", "gpu 1", stop).path == "/users/jean%40x.example/servers/gpu%201"
