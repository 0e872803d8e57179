"""Several processes on one database, as the workers of two bridges are."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.store import SqlStore
from tests.contract.records import code, login, session

ROOT = Path(__file__).parents[2]
ROUNDS, FOUNDERS = 10, 4

CONTENDER = """
import json, sys
from bridge.store import SigningKey, SqlStore
from tests.contract.records import NOW, claim, login, redeem
number = sys.argv[2]
print("here", flush=True)
sys.stdin.readline()
store = SqlStore("sqlite:///" + sys.argv[1])
key = SigningKey(kid=f"kid-{number}", algorithm="RS256", encrypted_private_jwk="x", created_at=NOW)
made = store.add_first_signing_key(key)
kids = [key.kid for key in store.signing_keys()]
print("ready", flush=True)
sys.stdin.readline()
redeemed = [redeem(store) is not None for _ in range(20)]
claimed = claim(store) is not None
store.close()
print(json.dumps({"made": made, "kids": kids, "redeemed": sum(redeemed), "claimed": claimed}))
"""

FOUNDER = """
import json, sys, time
from bridge.store import SqlStore
print("here", flush=True)
start = float(sys.stdin.readline())
faults = []
for number in range(int(sys.argv[2])):
    while time.time() < start + number * 0.03:
        time.sleep(0.001)
    try:
        store = SqlStore(f"sqlite:///{sys.argv[1]}/{number}.sqlite3")
        store.check()
        store.close()
    except Exception as error:
        faults.append(str(error))
print(json.dumps(faults))
"""


class Several:
    """Processes that run the same program and are spoken to all at once."""

    def __init__(self, count: int, program: str, *arguments: str) -> None:
        self._all = [
            subprocess.Popen(
                [sys.executable, "-c", program, *arguments, str(number)],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for number in range(count)
        ]

    def wait_for(self, word: str) -> None:
        for process in self._all:
            assert process.stdout is not None
            assert process.stdout.readline() == f"{word}\n"

    def tell(self, word: str) -> None:
        for process in self._all:
            assert process.stdin is not None
            process.stdin.write(f"{word}\n")
            process.stdin.flush()

    def said(self) -> list[str]:
        """The rest of what each says, when it has ended."""
        return [process.communicate(timeout=30)[0] for process in self._all]

    def end(self) -> None:
        for process in self._all:
            process.kill()
            process.communicate()


@pytest.fixture
def contenders(tmp_path: Path) -> Iterator[Several]:
    several = Several(4, CONTENDER, str(tmp_path / "bridge.sqlite3"))
    yield several
    several.end()


@pytest.fixture
def founders(tmp_path: Path) -> Iterator[Several]:
    several = Several(FOUNDERS, FOUNDER, str(tmp_path), str(ROUNDS))
    yield several
    several.end()


def test_processes_agree_on_one_key_one_redemption_and_one_login(contenders: Several, tmp_path: Path) -> None:
    contenders.wait_for("here")
    contenders.tell("go")
    contenders.wait_for("ready")
    store = SqlStore(f"sqlite:///{tmp_path}/bridge.sqlite3")
    store.save_session(session())
    store.save_code(code())
    store.save_pending_login(login())
    store.close()
    contenders.tell("go")
    said = [json.loads(text) for text in contenders.said()]
    assert sum(each["made"] for each in said) == 1
    assert len({tuple(each["kids"]) for each in said}) == len(said[0]["kids"]) == 1
    assert sum(each["redeemed"] for each in said) == 1
    assert sum(each["claimed"] for each in said) == 1


def test_a_database_that_is_not_there_yet_is_made_by_one_and_used_by_all(founders: Several) -> None:
    founders.wait_for("here")
    founders.tell(str(time.time() + 0.2))
    assert [json.loads(text) for text in founders.said()] == [[]] * FOUNDERS
