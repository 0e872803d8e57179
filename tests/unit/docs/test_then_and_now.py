"""The tests named in the table for readers of the old tutorial exist."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "hub" / "then-and-now.md"
ROWS = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")][1:]


def test_every_tutorial_step_has_a_row() -> None:
    assert len(ROWS) == 34


def test_tutorial_rows_name_existing_tests(collected: list[str]) -> None:
    known = {_file_and_test(name.partition("[")[0].removeprefix("tests/")) for name in collected}
    named = {row: re.findall(r"`((?:e2e|interop|unit|http)/[^`]+)`", row.split("|")[3]) for row in ROWS}

    assert [row for row, tests in named.items() if not tests] == []
    assert [test for tests in named.values() for test in tests if _file_and_test(test) not in known] == []


def _file_and_test(name: str) -> tuple[str, str]:
    parts = name.split("::")
    return parts[0], parts[-1]
