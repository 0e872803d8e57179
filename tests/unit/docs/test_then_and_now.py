"""The table for readers of the old tutorial names tests, and they are there."""

import re
from pathlib import Path

import pytest

from docs._generate.conformance import collected

PAGE = Path(__file__).parents[3] / "docs" / "hub" / "then-and-now.md"
ROWS = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")][1:]


@pytest.fixture(scope="module")
def tests() -> set[str]:
    return {name.partition("[")[0].removeprefix("tests/") for name in collected()}


def test_there_is_a_row_for_each_step_of_the_tutorial() -> None:
    assert len(ROWS) == 34


@pytest.mark.parametrize("row", ROWS, ids=range(1, len(ROWS) + 1))
def test_each_row_is_shown_by_tests_that_exist(row: str, tests: set[str]) -> None:
    file_and_names = re.findall(r"`((?:e2e|interop|unit|http)/[^`]+)`", row.split("|")[3])
    assert file_and_names
    by_name = {(name.split("::")[0], name.split("::")[-1]) for name in tests}
    missing = [name for name in file_and_names if (name.split("::")[0], name.split("::")[-1]) not in by_name]
    assert not missing
