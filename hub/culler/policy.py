"""Culling policy: limits by group, and the time at which a lab stops.

Two limits apply: the time without activity, and the age since the start. Defaults come from .env, and the groups of
`hub.toml` override them.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from hub.config.hub_toml import GroupRules, HubToml

MAX_REPORT_INTERVAL = 300  # seconds; JupyterHub's default for activity reports


@dataclass(frozen=True)
class Limits:
    """Limits in seconds; 0 for never."""

    idle_timeout: int = 0
    max_age: int = 0


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
        rules, default = self.hub_toml.rules_for(groups), self.default
        return Limits(
            idle_timeout=default.idle_timeout if rules.idle_timeout is None else rules.idle_timeout,
            max_age=default.max_age if rules.max_age is None else rules.max_age,
        )

    @property
    def _rules(self) -> list[Limits | GroupRules]:
        return [self.default, *self.hub_toml.groups.values()]

    @property
    def shortest(self) -> int:
        """Return the shortest limit of any user, or 0 without limits."""
        limits = [(rule.idle_timeout, rule.max_age) for rule in self._rules]
        return min((seconds for pair in limits for seconds in pair if seconds), default=0)

    @property
    def culls_idle_labs(self) -> bool:
        """Return whether any user has an idle timeout."""
        return any(rule.idle_timeout for rule in self._rules)

    @property
    def report_interval(self) -> int:
        """Return the seconds between activity reports of a lab: at most a sixth of the shortest limit."""
        return max(1, min(MAX_REPORT_INTERVAL, self.shortest // 6)) if self.shortest else MAX_REPORT_INTERVAL


def next_stop(started: datetime, last_activity: datetime | None, limits: Limits) -> Stop | None:
    """Return when a lab stops under these limits, or None for never."""
    idle = Stop((last_activity or started) + timedelta(seconds=limits.idle_timeout), "idle")
    age = Stop(started + timedelta(seconds=limits.max_age), "age")
    stops = [stop for stop, limit in ((idle, limits.idle_timeout), (age, limits.max_age)) if limit]
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
