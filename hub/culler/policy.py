"""How long a lab may live: pure decisions, for the service that stops labs and for the warning inside them.

Two clocks run: how long nobody has used it, and how long ago it was started. Everybody's limits come from .env; the
groups of hub.toml put their own in place of them, and of several groups the most generous counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from hub.config.hub_toml import HubToml

NEVER = 0
REPORT_AT_MOST_EVERY = 300  # seconds: what a lab does by itself


@dataclass(frozen=True)
class Limits:
    """Seconds; 0 for never."""

    idle_timeout: int = NEVER
    max_age: int = NEVER


@dataclass(frozen=True)
class Stop:
    """When a lab will be stopped if nothing changes, and by which of the two clocks."""

    at: datetime
    why: Literal["idle", "age"]


@dataclass(frozen=True)
class Lifetimes:
    """The limits of everybody."""

    everybody: Limits
    declared: HubToml

    def of(self, groups: Collection[str]) -> Limits:
        """The limits of somebody in these groups."""
        rules = self.declared.rules_of(groups)
        return Limits(
            idle_timeout=_most_generous((one.idle_timeout for one in rules), self.everybody.idle_timeout),
            max_age=_most_generous((one.max_age for one in rules), self.everybody.max_age),
        )

    @property
    def shortest(self) -> int:
        """The shortest limit that anybody can be under, or 0 if nobody is under any."""
        every = [self.everybody.idle_timeout, self.everybody.max_age]
        for rules in self.declared.groups.values():
            every += [rules.idle_timeout or NEVER, rules.max_age or NEVER]
        return min((seconds for seconds in every if seconds), default=NEVER)

    @property
    def ends_idle_labs(self) -> bool:
        """Whether anybody's lab is stopped because nobody uses it."""
        groups = self.declared.groups.values()
        return bool(self.everybody.idle_timeout) or any(rules.idle_timeout for rules in groups)

    @property
    def report_every(self) -> int:
        """How often labs must tell the hub of their use, so that the shortest limit is kept to within a sixth."""
        return max(1, min(REPORT_AT_MOST_EVERY, self.shortest // 6)) if self.shortest else REPORT_AT_MOST_EVERY


def _most_generous(values: Iterable[int | None], everybody: int) -> int:
    given = [value for value in values if value is not None]
    if not given:
        return everybody
    return NEVER if NEVER in given else max(given)


def stop_of(started: datetime, last_activity: datetime | None, limits: Limits) -> Stop | None:
    """When this lab's time is over; None if never."""
    stops = []
    if limits.idle_timeout:
        stops.append(Stop((last_activity or started) + timedelta(seconds=limits.idle_timeout), "idle"))
    if limits.max_age:
        stops.append(Stop(started + timedelta(seconds=limits.max_age), "age"))
    return min(stops, key=lambda stop: stop.at, default=None)


def idle_arguments(limits: Limits) -> list[str]:
    """What tells a lab to end its own kernels and terminals.

    Those of a lab that is in use, forgotten or connected to a forgotten tab; a kernel that computes is never ended.
    They have a quarter more than the lab itself: the end of a kernel counts as use, and would keep an idle lab alive.
    """
    if not limits.idle_timeout:
        return []
    after = limits.idle_timeout + max(1, limits.idle_timeout // 4)
    look = max(1, min(300, limits.idle_timeout // 6))
    return [
        f"--MappingKernelManager.cull_idle_timeout={after}",
        f"--MappingKernelManager.cull_interval={look}",
        "--MappingKernelManager.cull_connected=True",
        f"--TerminalManager.cull_inactive_timeout={after}",
        f"--TerminalManager.cull_interval={look}",
    ]
