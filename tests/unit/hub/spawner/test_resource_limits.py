"""What a lab may take, by the groups of its person."""

from types import SimpleNamespace
from typing import Any

import pytest

from hub.config.hub_toml import GroupRules, HubToml
from hub.spawner.resource_limits import Limits, host_config, limit_by_group, most_generous

G = 1024**3
DECLARED = HubToml(
    groups={
        "students": GroupRules(memory="1G", cpu=0.5, processes=128),
        "staff": GroupRules(memory="8G", cpu=2),
        "vision": GroupRules(gpus=("0", "1")),
        "speech": GroupRules(gpus=("1", "GPU-7f"), memory="512M"),
    }
)


def limits(*groups: str) -> Limits:
    return most_generous(DECLARED.rules_for(groups))


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ((), Limits()),
        (("nobody",), Limits()),
        (("students",), Limits(G, 0.5, 128)),
        (("staff",), Limits(8 * G, 2, None)),
        (("students", "staff"), Limits(8 * G, 2, 128)),
        (("staff", "students"), Limits(8 * G, 2, 128)),
        (("speech", "vision"), Limits(G // 2, None, None, ("0", "1", "GPU-7f"))),
    ],
)
def test_of_several_groups_the_most_generous_wins(groups: tuple[str, ...], expected: Limits) -> None:
    assert limits(*groups) == expected


def test_a_memory_limit_is_a_limit_of_swap_as_well() -> None:
    assert host_config(Limits(memory=G)) == {"memswap_limit": G}


def test_gpus_are_asked_for_by_their_ids() -> None:
    (request,) = host_config(limits("vision"))["device_requests"]
    assert request["DeviceIDs"] == ["0", "1"]
    assert request["Count"] == 0, "a count would give everybody the first ones"
    assert request["Capabilities"] == [["gpu"]]


def test_what_no_group_declares_stays_as_it_was() -> None:
    lab: Any = SimpleNamespace(
        user=SimpleNamespace(groups=[SimpleNamespace(name="vision")]),
        mem_limit="2G",
        cpu_limit=1.0,
        extra_host_config={"cap_drop": ["ALL"], "pids_limit": 512},
    )

    limit_by_group(DECLARED)(lab)

    assert (lab.mem_limit, lab.cpu_limit) == ("2G", 1.0)
    assert lab.extra_host_config["cap_drop"] == ["ALL"]
    assert lab.extra_host_config["pids_limit"] == 512
