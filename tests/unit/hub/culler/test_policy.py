"""Culling limits by default and by group, and the labs that are overdue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.config.hub_toml import GroupRules, HubToml
from hub.culler.policy import Lifetimes, Limits, Stop, idle_arguments, next_stop
from hub.culler.service import OverdueLab, find_overdue

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def lifetimes(default: Limits, **groups: GroupRules) -> Lifetimes:
    return Lifetimes(default, HubToml(groups=groups))


def server(started: datetime, last_activity: datetime | None = None, **more: Any) -> dict[str, Any]:
    active = None if last_activity is None else last_activity.isoformat()
    return {"started": started.isoformat(), "last_activity": active, "ready": True, "pending": None, **more}


@pytest.mark.parametrize(
    ("groups", "limits"),
    [
        ((), Limits(60, 600)),
        (("visitors",), Limits(60, 600)),
        (("students",), Limits(30, 600)),  # a group may have less than the default
        (("students", "staff"), Limits(120, 600)),
        (("students", "staff", "admins"), Limits(0, 600)),  # never is the most generous
        (("admins",), Limits(0, 600)),
    ],
)
def test_most_generous_group_limit_applies(groups: tuple[str, ...], limits: Limits) -> None:
    every = lifetimes(
        Limits(60, 600),
        students=GroupRules(idle_timeout=30),
        staff=GroupRules(idle_timeout=120),
        admins=GroupRules(idle_timeout=0),
    )
    assert every.limits_for(groups) == limits


@pytest.mark.parametrize(
    ("limits", "active", "stop"),
    [
        (Limits(), 10, None),
        (Limits(idle_timeout=60), 10, Stop(after(70), "idle")),
        (Limits(idle_timeout=60), None, Stop(after(60), "idle")),  # no activity since the start
        (Limits(max_age=60), 59, Stop(after(60), "age")),
        (Limits(idle_timeout=60, max_age=100), 10, Stop(after(70), "idle")),
        (Limits(idle_timeout=60, max_age=100), 90, Stop(after(100), "age")),
    ],
)
def test_first_limit_reached_applies(limits: Limits, active: int | None, stop: Stop | None) -> None:
    assert next_stop(NOON, None if active is None else after(active), limits) == stop


def test_report_interval_follows_shortest_limit() -> None:
    assert lifetimes(Limits()).shortest == 0
    assert lifetimes(Limits()).report_interval == 300
    assert lifetimes(Limits(3600, 0)).report_interval == 300
    assert lifetimes(Limits(3600, 0), students=GroupRules(idle_timeout=600)).report_interval == 100
    assert lifetimes(Limits(3600, 0), students=GroupRules(max_age=1)).report_interval == 1


def test_idle_kernels_are_culled_after_lab_timeout() -> None:
    arguments = idle_arguments(Limits(idle_timeout=3600))
    assert "--MappingKernelManager.cull_idle_timeout=4500" in arguments
    assert "--MappingKernelManager.cull_connected=True" in arguments
    assert "--TerminalManager.cull_inactive_timeout=4500" in arguments
    assert not [argument for argument in arguments if "cull_busy" in argument]
    assert idle_arguments(Limits(max_age=60)) == []


def test_only_labs_over_limit_are_overdue() -> None:
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
    overdue = find_overdue(users, every, after(100))
    assert [(one.user, one.server, one.stop.why) for one in overdue] == [("idle", "", "idle"), ("old", "", "age")]


def test_time_without_zone_is_utc() -> None:
    users = [{"name": "a", "servers": {"": server(NOON.replace(tzinfo=None))}}]
    assert len(find_overdue(users, lifetimes(Limits(idle_timeout=60)), after(60))) == 1
    assert find_overdue(users, lifetimes(Limits(idle_timeout=60)), after(59)) == []


def test_names_are_quoted_in_api_path() -> None:
    stop = Stop(NOON, "idle")
    assert OverdueLab("a/b?c", "", stop).path == "/users/a%2Fb%3Fc/server"
    assert OverdueLab("jean@x.example", "gpu 1", stop).path == "/users/jean%40x.example/servers/gpu%201"
