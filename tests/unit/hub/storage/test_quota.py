"""How much a home may hold, what is remembered of its size, and which home is measured next."""

import json
import threading
from pathlib import Path

import pytest

from hub.config.hub_toml import GroupRules, HubToml
from hub.config.settings import Reader, SettingsError
from hub.spawner.docker import Lab
from hub.storage.quota import Ledger, Start, Usage, decide, in_words, limit_of, read_quota, sentence
from hub.storage.volume_service import OTHERWISE, SETTLES, WHILE_RUNNING, MeasurementSchedule, keeper_service

GIB = 1024**3
RULES = HubToml(groups={"small": GroupRules(quota="1G"), "large": GroupRules(quota="5G"), "cpu": GroupRules(cpu=2)})


@pytest.mark.parametrize(
    ("groups", "everybody", "limit"),
    [
        (set(), "", None),
        (set(), "10G", 10 * GIB),
        ({"cpu"}, "10G", 10 * GIB),
        ({"small"}, "10G", GIB),
        ({"small"}, "", GIB),
        ({"small", "large", "cpu"}, "1M", 5 * GIB),
    ],
)
def test_the_limit_is_the_largest_of_the_groups_else_everybodys(
    groups: set[str], everybody: str, limit: int | None
) -> None:
    assert limit_of(groups, RULES, everybody) == limit


@pytest.mark.parametrize(
    ("used", "limit", "wants", "start"),
    [
        (10, None, True, Start.ORDINARY),
        (10, 10, False, Start.ORDINARY),
        (10, 10, True, Start.ORDINARY),
        (11, 10, False, Start.REFUSED),
        (11, 10, True, Start.TIDY),
    ],
)
def test_only_a_home_over_its_limit_changes_a_start(used: int, limit: int | None, wants: bool, start: Start) -> None:
    assert decide(used, limit, wants_to_tidy=wants) is start


def test_the_refusal_says_what_what_limit_and_what_to_do() -> None:
    told = sentence(12 * GIB + GIB // 2, 10 * GIB)
    assert "12.5 GiB" in told
    assert "10.0 GiB" in told
    assert "tidy up" in told
    assert "30 minutes" in told


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (150 * 1024**2, "150 MiB"), (3 * 1024**5, "3072.0 TiB")],
)
def test_sizes_are_told_in_the_units_they_are_set_in(size: int, words: str) -> None:
    assert in_words(size) == words


@pytest.mark.parametrize("value", ["10", "10GB", "-1G", "ten", "G", "1e3G", "10 G"])
def test_a_limit_that_is_no_size_stops_the_hub_with_a_sentence(value: str) -> None:
    reader = Reader({"LAB_HOME_QUOTA": value})
    read_quota(reader)
    with pytest.raises(SettingsError, match=r"LAB_HOME_QUOTA.*such as 10G"):
        reader.check()


class TestLedger:
    def test_keeps_a_size(self, tmp_path: Path) -> None:
        ledger = Ledger(tmp_path / "new")
        assert ledger.read("v") is None
        ledger.note("v", 7, lab_running=True)
        known = ledger.read("v")
        assert known
        assert (known.used, known.complete, known.lab_running) == (7, True, True)

    def test_keeps_the_old_number_when_counting_came_to_no_end(self, tmp_path: Path) -> None:
        ledger = Ledger(tmp_path)
        ledger.note("v", 7, lab_running=True)
        ledger.note("v", None, lab_running=False)
        known = ledger.read("v")
        assert known
        assert (known.used, known.complete, known.lab_running) == (7, False, False)

    @pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"used": "x"}', '{"used": 1}', "\x00\xff"])
    def test_a_broken_file_is_no_size_and_is_replaced(self, tmp_path: Path, text: str) -> None:
        ledger = Ledger(tmp_path)
        (tmp_path / "v.json").write_text(text)
        assert ledger.read("v") is None
        ledger.note("v", 7, lab_running=False)
        assert ledger.read("v")

    def test_is_whole_at_every_moment_for_writers_and_readers_at_once(self, tmp_path: Path) -> None:
        ledger, unread = Ledger(tmp_path), []
        ledger.note("v", 0, lab_running=False)

        def write(number: int) -> None:
            for _ in range(100):
                ledger.note("v", number, lab_running=False)

        writers = [threading.Thread(target=write, args=(number,)) for number in range(3)]
        for one in writers:
            one.start()
        while any(one.is_alive() for one in writers):
            if ledger.read("v") is None:
                unread.append((tmp_path / "v.json").read_text())
        assert unread == []
        assert [one.name for one in tmp_path.iterdir()] == ["v.json"]
        assert json.loads((tmp_path / "v.json").read_text())["used"] in range(3)


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "a.b@c", "é", ".", "x" * 63])
def test_no_name_of_a_user_leaves_the_ledgers_folder(tmp_path: Path, name: str) -> None:
    lab = Lab.__new__(Lab)
    ledger = Ledger(tmp_path / "homes")
    ledger.note(f"p-home-{lab._escape(name)}", 1, lab_running=False)
    (written,) = tmp_path.rglob("*.json")
    assert written.parent == tmp_path / "homes"


class TestRounds:
    """Whose turn it is, on a clock of our own."""

    def rounds(self, **known: Usage) -> MeasurementSchedule:
        return MeasurementSchedule(known.get)

    def test_a_home_nobody_knows_is_measured(self) -> None:
        assert self.rounds().next(["a"], set(), 0) == "a"

    def test_one_measured_today_is_not(self) -> None:
        known = self.rounds(a=Usage(1, 0))
        assert known.next(["a"], set(), OTHERWISE - 1) is None
        assert known.next(["a"], set(), OTHERWISE) == "a"

    def test_a_lab_has_time_to_start_before_its_home_is_measured(self) -> None:
        rounds = self.rounds()
        assert rounds.next(["a"], {"a"}, 0) is None
        assert rounds.next(["a"], {"a"}, SETTLES - 1) is None
        assert rounds.next(["a"], {"a"}, SETTLES) == "a"

    def test_while_a_lab_runs_its_home_is_measured_from_time_to_time(self) -> None:
        rounds = self.rounds(a=Usage(1, 0, lab_running=True))
        rounds.next(["a"], {"a"}, 0)
        assert rounds.next(["a"], {"a"}, WHILE_RUNNING - 1) is None
        assert rounds.next(["a"], {"a"}, WHILE_RUNNING) == "a"

    def test_a_stopped_lab_comes_first_and_once(self) -> None:
        rounds = self.rounds(b=Usage(1, 0))
        rounds.next(["b"], {"b"}, 0)
        assert rounds.next(["a", "b"], set(), 1) == "b"
        rounds.done("b", running=False)
        assert rounds.next(["b"], set(), 2) is None

    def test_a_lab_that_stopped_while_nobody_looked_is_noticed(self) -> None:
        assert self.rounds(a=Usage(1, 0, lab_running=True)).next(["a"], set(), 1) == "a"

    def test_a_clock_that_was_set_back_keeps_no_home_unmeasured_for_ever(self) -> None:
        assert self.rounds(a=Usage(1, 10 * OTHERWISE)).next(["a"], set(), 0) == "a"


def test_the_keeper_gets_what_it_reads_and_no_secret() -> None:
    service = keeper_service({"PROJECT_NAME": "p", "OAUTH_CLIENT_SECRET_FILE": "/x", "DOCKER_HOST": "tcp://proxy"})
    assert service["environment"] == {"PROJECT_NAME": "p", "DOCKER_HOST": "tcp://proxy"}
    assert "admin" not in service
