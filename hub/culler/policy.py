"""Culling policy: limits by group, and the time at which a lab stops.

Two limits apply: the time without activity, and the age since the start. Defaults come from .env. A group of `hub.toml`
overrides them for its members; the most generous value applies to a user in several groups.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from hub.config.hub_toml import HubToml

NEVER = 0
MAX_REPORT_INTERVAL = 300  # seconds; JupyterHub's default for activity reports


@dataclass(frozen=True)
class Limits:
    """Limits in seconds; 0 for never."""

    idle_timeout: int = NEVER
    max_age: int = NEVER


@dataclass(frozen=True)
class Stop:
    """The time at which a lab stops without further activity, and the limit that applies."""

    at: datetime
    why: Literal["idle", "age"]


@dataclass(frozen=True)
class Lifetimes:
    """Limits of all users: the defaults and the rules for groups."""

    default: Limits
    hub_toml: HubToml

    def limits_for(self, groups: Collection[str]) -> Limits:
        """Return the limits of a user in these groups."""
        rules = self.hub_toml.rules_for(groups)
        return Limits(
            idle_timeout=_most_generous((rule.idle_timeout for rule in rules), self.default.idle_timeout),
            max_age=_most_generous((rule.max_age for rule in rules), self.default.max_age),
        )

    @property
    def shortest(self) -> int:
        """Return the shortest limit of any user, or 0 without limits."""
        limits = [self.default.idle_timeout, self.default.max_age]
        for rules in self.hub_toml.groups.values():
            limits += [rules.idle_timeout or NEVER, rules.max_age or NEVER]
        return min((seconds for seconds in limits if seconds), default=NEVER)

    @property
    def culls_idle_labs(self) -> bool:
        """Return whether any user has an idle timeout."""
        groups = self.hub_toml.groups.values()
        return bool(self.default.idle_timeout) or any(rules.idle_timeout for rules in groups)

    @property
    def report_interval(self) -> int:
        """Return the seconds between activity reports of a lab: at most a sixth of the shortest limit."""
        return max(1, min(MAX_REPORT_INTERVAL, self.shortest // 6)) if self.shortest else MAX_REPORT_INTERVAL


def _most_generous(values: Iterable[int | None], default: int) -> int:
    limits = [value for value in values if value is not None]
    if not limits:
        return default
    return NEVER if NEVER in limits else max(limits)


def next_stop(started: datetime, last_activity: datetime | None, limits: Limits) -> Stop | None:
    """Return when a lab stops under these limits, or None for never."""
    stops = []
    if limits.idle_timeout:
        stops.append(Stop((last_activity or started) + timedelta(seconds=limits.idle_timeout), "idle"))
    if limits.max_age:
        stops.append(Stop(started + timedelta(seconds=limits.max_age), "age"))
    return min(stops, key=lambda stop: stop.at, default=None)


def idle_arguments(limits: Limits) -> list[str]:
    """Return the lab's arguments that cull idle kernels and terminals inside it.

    A kernel that computes is never culled. The timeout is a quarter longer than the lab's own, because the end of a
    kernel counts as activity and would keep an idle lab running.
    """
    if not limits.idle_timeout:
        return []
    timeout = limits.idle_timeout + max(1, limits.idle_timeout // 4)
    interval = max(1, min(300, limits.idle_timeout // 6))
    return [
        f"--MappingKernelManager.cull_idle_timeout={timeout}",
        f"--MappingKernelManager.cull_interval={interval}",
        "--MappingKernelManager.cull_connected=True",
        f"--TerminalManager.cull_inactive_timeout={timeout}",
        f"--TerminalManager.cull_interval={interval}",
    ]
