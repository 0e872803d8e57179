"""The tests named in the table for readers of the old tutorial exist."""

import re
from pathlib import Path

import pytest

from docs._generate.conformance import collected

PAGE = Path(__file__).parents[3] / "docs" / "hub" / "then-and-now.md"
ROWS = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")][1:]


@pytest.fixture(scope="module")
def tests() -> set[str]:
    return {name.partition("[")[0].removeprefix("tests/") for name in collected()}


def test_every_tutorial_step_has_a_row() -> None:
    assert len(ROWS) == 34


@pytest.mark.parametrize("row", ROWS, ids=range(1, len(ROWS) + 1))
def test_tutorial_rows_name_existing_tests(row: str, tests: set[str]) -> None:
    file_and_names = re.findall(r"`((?:e2e|interop|unit|http)/[^`]+)`", row.split("|")[3])
    assert file_and_names
    by_name = {(name.split("::")[0], name.split("::")[-1]) for name in tests}
    missing = [name for name in file_and_names if (name.split("::")[0], name.split("::")[-1]) not in by_name]
    assert not missing
