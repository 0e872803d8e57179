"""How much a lab may take: memory, processors, processes, GPUs, by the groups of the person it is for.

What .env says is for everybody. A group of hub.toml replaces it for its members; who is in several such groups has the
most generous value of each kind, and the GPUs of all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from docker.types import DeviceRequest

from hub.config.field_types import parse_size
from hub.config.hub_toml import GroupRules, HubToml
from hub.spawner.profiles import groups_of


@dataclass(frozen=True)
class Limits:
    """What differs from everybody's; None where nothing does."""

    memory: int | None = None
    cpu: float | None = None
    processes: int | None = None
    gpus: tuple[str, ...] = ()


def most_generous(rules: Iterable[GroupRules]) -> Limits:
    """The limits of somebody who is under all of these rules."""
    several = list(rules)
    return Limits(
        memory=max((parse_size(one.memory) for one in several if one.memory is not None), default=None),
        cpu=max((one.cpu for one in several if one.cpu is not None), default=None),
        processes=max((one.processes for one in several if one.processes is not None), default=None),
        # Each once, in the order of the file.
        gpus=tuple(dict.fromkeys(gpu for one in several for gpu in one.gpus)),
    )


def host_config(limits: Limits) -> dict[str, Any]:
    """What of it goes into the container's configuration beside memory and processors, which the spawner has names
    for.
    """
    found: dict[str, Any] = {}
    if limits.memory is not None:
        found["memswap_limit"] = limits.memory  # as much as the memory, that is: no swap on top
    if limits.processes is not None:
        found["pids_limit"] = limits.processes
    if limits.gpus:
        found["device_requests"] = [DeviceRequest(device_ids=list(limits.gpus), capabilities=[["gpu"]])]
    return found


def limit_by_group(declared: HubToml) -> Callable[[Any], None]:
    """A hook for `Lab.before_start`."""

    def before_start(lab: Any) -> None:
        limits = most_generous(declared.rules_for(groups_of(lab)))
        if limits.memory is not None:
            lab.mem_limit = limits.memory
        if limits.cpu is not None:
            lab.cpu_limit = limits.cpu
        lab.extra_host_config = {**lab.extra_host_config, **host_config(limits)}

    return before_start
