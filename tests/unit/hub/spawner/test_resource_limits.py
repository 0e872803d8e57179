"""Resource limits of a lab by the groups of its user."""

from types import SimpleNamespace
from typing import Any

import pytest

from hub.config.hub_toml import GroupRules, HubToml
from hub.spawner.profiles import build_host_config, limit_by_group

G = 1024**3
HUB_TOML = HubToml(
    groups={
        "students": GroupRules(memory="1G", cpu=0.5, processes=128),
        "staff": GroupRules(memory="8G", cpu=2),
        "vision": GroupRules(gpus=("0", "1")),
        "speech": GroupRules(gpus=("1", "GPU-7f"), memory="512M"),
    }
)


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ((), GroupRules()),
        (("visitors",), GroupRules()),
        (("students",), GroupRules(memory="1G", cpu=0.5, processes=128)),
        (("staff",), GroupRules(memory="8G", cpu=2)),
        (("students", "staff"), GroupRules(memory="8G", cpu=2, processes=128)),
        (("staff", "students"), GroupRules(memory="8G", cpu=2, processes=128)),
        (("speech", "vision"), GroupRules(memory="512M", gpus=("0", "1", "GPU-7f"))),
    ],
)
def test_most_generous_group_limit_applies(groups: tuple[str, ...], expected: GroupRules) -> None:
    assert HUB_TOML.rules_for(groups) == expected


def test_memory_limit_allows_no_swap() -> None:
    assert build_host_config(GroupRules(memory="1G")) == {"memswap_limit": G}


def test_gpus_are_requested_by_id() -> None:
    (request,) = build_host_config(HUB_TOML.rules_for(("vision",)))["device_requests"]
    assert request["DeviceIDs"] == ["0", "1"]
    assert request["Count"] == 0, "a count would give all users the first devices"
    assert request["Capabilities"] == [["gpu"]]


def test_unset_limits_keep_defaults() -> None:
    lab: Any = SimpleNamespace(
        user=SimpleNamespace(groups=[SimpleNamespace(name="vision")]),
        mem_limit="2G",
        cpu_limit=1.0,
        extra_host_config={"cap_drop": ["ALL"], "pids_limit": 512},
    )

    limit_by_group(HUB_TOML)(lab)

    assert (lab.mem_limit, lab.cpu_limit) == ("2G", 1.0)
    assert lab.extra_host_config["cap_drop"] == ["ALL"]
    assert lab.extra_host_config["pids_limit"] == 512
