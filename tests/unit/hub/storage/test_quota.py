"""The limit of a home, the ledger of sizes, and the schedule of measurements."""

import asyncio
import json
import logging
import threading
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub.spawner import SpawnException

from hub.config.hub_toml import GroupRules, HubToml
from hub.spawner.docker import Lab
from hub.storage.quota import Ledger, Usage, format_size, limit_of, over_limit_message
from hub.storage.quota_hook import QuotaHook
from hub.storage.volume_service import (
    FAILED_INTERVAL,
    IDLE_INTERVAL,
    RUNNING_INTERVAL,
    START_DELAY,
    MeasurementSchedule,
    volume_service,
)
from hub.storage.volumes import ToolError

GIB = 1024**3
RULES = HubToml(groups={"small": GroupRules(quota="1G"), "large": GroupRules(quota="5G"), "cpu": GroupRules(cpu=2)})


@pytest.mark.parametrize(
    ("groups", "default", "limit"),
    [
        (set(), "", None),
        (set(), "10G", 10 * GIB),
        ({"cpu"}, "10G", 10 * GIB),
        ({"small"}, "10G", GIB),
        ({"small"}, "", GIB),
        ({"small", "large", "cpu"}, "1M", 5 * GIB),
    ],
)
def test_largest_group_limit_applies_else_the_default(groups: set[str], default: str, limit: int | None) -> None:
    assert limit_of(groups, RULES, default) == limit


class FakeVolumes:
    """Homes with a fixed size; None times out."""

    project = "p"

    def __init__(self, size: int | None) -> None:
        self._size = size

    def size(self, _name: str, _timeout: int) -> int:
        if self._size is None:
            raise ToolError("timed out")
        return self._size


def start_lab(ledger: Ledger, size: int | None, quota: str, *, cleanup: bool = False) -> Any:
    """Run the hook before the start of a lab, and return the lab."""
    argument = SimpleNamespace(get_query_argument=lambda *_: "yes" if cleanup else "")
    lab = SimpleNamespace(
        **{"user": SimpleNamespace(name="a@b", groups=[]), "hub": SimpleNamespace(base_url="/hub/"), "name": "gpu"},
        **{"escaped_name": "a-40b", "handler": argument, "log": logging.getLogger("lab"), "environment": {}},
        **{"cpu_limit": 2.0, "extra_host_config": {}, "cmd": ["jupyterhub-singleuser"], "args": [], "mem_limit": "2G"},
    )
    hook = QuotaHook(ledger, FakeVolumes(size), HubToml(), quota)  # type: ignore[arg-type]
    asyncio.run(hook.before_start(lab))  # type: ignore[arg-type]
    return lab


@pytest.mark.parametrize(
    ("used", "quota", "cleanup", "memory"),
    [
        (10 * GIB, "", True, "2G"),
        (10 * GIB, "10G", False, "2G"),
        (10 * GIB, "10G", True, "2G"),
        (10 * GIB + 1, "10G", True, "512M"),
        (10 * GIB + 1, "10G", False, None),
    ],
)
def test_only_a_home_over_its_limit_changes_a_start(
    tmp_path: Path, used: int, quota: str, cleanup: bool, memory: str | None
) -> None:
    ledger = Ledger(tmp_path)
    ledger.record("p-home-a-40b", used, lab_running=False)
    if memory is None:
        with pytest.raises(SpawnException) as caught:
            start_lab(ledger, used, quota, cleanup=cleanup)
        assert caught.value.cleanup_url == "/hub/spawn/a@b/gpu?opt-cleanup=yes"
        return
    lab = start_lab(ledger, used, quota, cleanup=cleanup)
    assert lab.mem_limit == memory
    assert (lab.cmd[0] == "timeout") == (memory == "512M")


@pytest.mark.parametrize(("size", "rejected"), [(GIB, False), (None, True)])
def test_home_is_measured_again_before_a_rejection(tmp_path: Path, size: int | None, rejected: bool) -> None:
    ledger = Ledger(tmp_path)
    ledger.record("p-home-a-40b", 2 * GIB, lab_running=False)
    with pytest.raises(SpawnException) if rejected else nullcontext():
        start_lab(ledger, size, "1G")


@pytest.mark.parametrize("earlier", [None, GIB])
def test_home_that_cannot_be_measured_does_not_start(tmp_path: Path, earlier: int | None) -> None:
    ledger = Ledger(tmp_path)
    if earlier is not None:
        ledger.record("p-home-a-40b", earlier, lab_running=False)
    ledger.record("p-home-a-40b", None, lab_running=False)
    with pytest.raises(SpawnException, match="could not be measured") as caught:
        start_lab(ledger, None, "2G")
    assert caught.value.cleanup_url


def test_home_that_cannot_be_measured_starts_in_cleanup_mode(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.record("p-home-a-40b", None, lab_running=False)
    assert start_lab(ledger, None, "2G", cleanup=True).mem_limit == "512M"


@pytest.mark.parametrize("size", [GIB, None])
def test_home_starts_before_its_first_measurement(tmp_path: Path, size: int | None) -> None:
    assert start_lab(Ledger(tmp_path), size, "2G").mem_limit == "2G"


def test_home_starts_after_a_failed_measurement_was_repeated(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.record("p-home-a-40b", None, lab_running=False)
    start_lab(ledger, GIB, "2G")
    known = ledger.read("p-home-a-40b")
    assert known
    assert (known.used, known.complete) == (GIB, True)


def test_over_limit_message_names_size_limit_and_cleanup() -> None:
    message = str(over_limit_message(12 * GIB + GIB // 2, 10 * GIB))
    assert "12.5 GiB" in message
    assert "10.0 GiB" in message
    assert "cleanup mode" in message
    assert "30 minutes" in message


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (150 * 1024**2, "150 MiB"), (3 * 1024**5, "3072.0 TiB")],
)
def test_sizes_are_formatted_in_binary_units(size: int, words: str) -> None:
    assert format_size(size) == words


class TestLedger:
    def test_size_is_kept(self, tmp_path: Path) -> None:
        ledger = Ledger(tmp_path / "new")
        assert ledger.read("v") is None
        ledger.record("v", 7, lab_running=True)
        known = ledger.read("v")
        assert known
        assert (known.used, known.complete, known.lab_running) == (7, True, True)

    def test_previous_size_is_kept_after_a_timeout(self, tmp_path: Path) -> None:
        ledger = Ledger(tmp_path)
        ledger.record("v", 7, lab_running=True)
        ledger.record("v", None, lab_running=False)
        known = ledger.read("v")
        assert known
        assert (known.used, known.complete, known.lab_running) == (7, False, False)

    def test_size_is_unknown_after_a_first_timeout(self, tmp_path: Path) -> None:
        ledger = Ledger(tmp_path)
        ledger.record("v", None, lab_running=False)
        known = ledger.read("v")
        assert known
        assert (known.used, known.complete) == (None, False)

    @pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"used": "x"}', '{"used": 1}', "\x00\xff"])
    def test_broken_file_counts_as_missing_and_is_replaced(self, tmp_path: Path, text: str) -> None:
        ledger = Ledger(tmp_path)
        (tmp_path / "homes").mkdir()
        (tmp_path / "homes/v.json").write_text(text)
        assert ledger.read("v") is None
        ledger.record("v", 7, lab_running=False)
        assert ledger.read("v")

    def test_concurrent_writers_never_expose_partial_files(self, tmp_path: Path) -> None:
        ledger, unread = Ledger(tmp_path), []
        ledger.record("v", 0, lab_running=False)

        def write(number: int) -> None:
            for _ in range(100):
                ledger.record("v", number, lab_running=False)

        writers = [threading.Thread(target=write, args=(number,)) for number in range(3)]
        for writer in writers:
            writer.start()
        while any(writer.is_alive() for writer in writers):
            if ledger.read("v") is None:
                unread.append((tmp_path / "homes/v.json").read_text())
        assert unread == []
        assert [path.name for path in (tmp_path / "homes").iterdir()] == ["v.json"]
        assert json.loads((tmp_path / "homes/v.json").read_text())["used"] in range(3)


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "a.b@c", "é", ".", "x" * 63])
def test_user_names_cannot_leave_the_ledgers_folder(tmp_path: Path, name: str) -> None:
    lab = Lab.__new__(Lab)
    ledger = Ledger(tmp_path)
    ledger.record(f"p-home-{lab._escape(name)}", 1, lab_running=False)
    (written,) = tmp_path.rglob("*.json")
    assert written.parent == tmp_path / "homes"


class TestMeasurementSchedule:
    """The next home, on a simulated clock."""

    def schedule(self, **known: Usage) -> MeasurementSchedule:
        return MeasurementSchedule(known.get)

    def test_unmeasured_home_is_due(self) -> None:
        assert self.schedule().next(["a"], set(), 0) == "a"

    def test_idle_home_is_due_once_a_day(self) -> None:
        known = self.schedule(a=Usage(1, 0))
        assert known.next(["a"], set(), IDLE_INTERVAL - 1) is None
        assert known.next(["a"], set(), IDLE_INTERVAL) == "a"

    def test_home_is_not_measured_while_its_lab_starts(self) -> None:
        schedule = self.schedule()
        assert schedule.next(["a"], {"a"}, 0) is None
        assert schedule.next(["a"], {"a"}, START_DELAY - 1) is None
        assert schedule.next(["a"], {"a"}, START_DELAY) == "a"

    def test_home_of_running_lab_is_due_at_intervals(self) -> None:
        schedule = self.schedule(a=Usage(1, 0, lab_running=True))
        schedule.next(["a"], {"a"}, 0)
        assert schedule.next(["a"], {"a"}, RUNNING_INTERVAL - 1) is None
        assert schedule.next(["a"], {"a"}, RUNNING_INTERVAL) == "a"

    def test_home_of_stopped_lab_comes_first_and_once(self) -> None:
        schedule = self.schedule(b=Usage(1, 0))
        schedule.next(["b"], {"b"}, 0)
        assert schedule.next(["a", "b"], set(), 1) == "b"
        schedule.finish("b", running=False)
        assert schedule.next(["b"], set(), 2) is None

    def test_home_of_lab_stopped_during_downtime_is_due(self) -> None:
        assert self.schedule(a=Usage(1, 0, lab_running=True)).next(["a"], set(), 1) == "a"

    def test_home_measured_longest_ago_comes_first(self) -> None:
        assert self.schedule(a=Usage(1, 9), b=Usage(1, 5)).next(["a", "b"], set(), 2 * IDLE_INTERVAL) == "b"

    def test_home_whose_measurement_failed_comes_last(self) -> None:
        known = self.schedule(a=Usage(None, 0, complete=False), b=Usage(1, FAILED_INTERVAL - IDLE_INTERVAL))
        assert known.next(["a", "b"], set(), FAILED_INTERVAL) == "b"
        assert known.next(["a"], set(), FAILED_INTERVAL) == "a"
        assert known.next(["a"], set(), FAILED_INTERVAL - 1) is None

    def test_home_is_due_after_the_clock_was_set_back(self) -> None:
        assert self.schedule(a=Usage(1, 10 * IDLE_INTERVAL)).next(["a"], set(), 0) == "a"


def test_volume_service_gets_its_settings_and_no_secret() -> None:
    service = volume_service({"PROJECT_NAME": "p", "OAUTH_CLIENT_SECRET_FILE": "/x", "DOCKER_HOST": "tcp://proxy"})
    assert service["environment"] == {"PROJECT_NAME": "p", "DOCKER_HOST": "tcp://proxy"}
    assert "admin" not in service
