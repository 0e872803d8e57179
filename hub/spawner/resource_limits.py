"""Resource limits of a lab by group: memory, processors, processes and GPUs.

Defaults come from .env. A group of `hub.toml` overrides them for its members. The most generous value of each kind, and
the GPUs of all groups, apply to a user in several groups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from docker.types import DeviceRequest

from hub.config.field_types import parse_size
from hub.config.hub_toml import GroupRules, HubToml
from hub.spawner.profiles import user_groups


@dataclass(frozen=True)
class ResourceLimits:
    """Limits that override the defaults; None keeps the default."""

    memory: int | None = None
    cpu: float | None = None
    processes: int | None = None
    gpus: tuple[str, ...] = ()


def merge_rules(rules: Iterable[GroupRules]) -> ResourceLimits:
    """Return the most generous limits of all these rules."""
    rules = list(rules)
    return ResourceLimits(
        memory=max((parse_size(rule.memory) for rule in rules if rule.memory is not None), default=None),
        cpu=max((rule.cpu for rule in rules if rule.cpu is not None), default=None),
        processes=max((rule.processes for rule in rules if rule.processes is not None), default=None),
        gpus=tuple(dict.fromkeys(gpu for rule in rules for gpu in rule.gpus)),  # without duplicates, in order
    )


def build_host_config(limits: ResourceLimits) -> dict[str, Any]:
    """Return the container's host configuration for limits that have no spawner trait."""
    config: dict[str, Any] = {}
    if limits.memory is not None:
        config["memswap_limit"] = limits.memory  # memory and swap together, so no swap
    if limits.processes is not None:
        config["pids_limit"] = limits.processes
    if limits.gpus:
        config["device_requests"] = [DeviceRequest(device_ids=list(limits.gpus), capabilities=[["gpu"]])]
    return config


def limit_by_group(hub_toml: HubToml) -> Callable[[Any], None]:
    """Return a hook for `Lab.before_start` that applies the limits of the user's groups."""

    def before_start(lab: Any) -> None:
        limits = merge_rules(hub_toml.rules_for(user_groups(lab)))
        if limits.memory is not None:
            lab.mem_limit = limits.memory
        if limits.cpu is not None:
            lab.cpu_limit = limits.cpu
        lab.extra_host_config = {**lab.extra_host_config, **build_host_config(limits)}

    return before_start
