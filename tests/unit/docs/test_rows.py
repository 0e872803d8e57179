"""Every row of the checklist has a test that is named after it, and the page about them is what the tests are."""

from __future__ import annotations

import pytest

from docs._generate import conformance as generate_conformance
from docs._generate.conformance import CASES, ROWS, named_after


@pytest.fixture(scope="module")
def collected() -> list[str]:
    return generate_conformance.collected()


def test_every_row_is_named_by_a_test_and_no_other_row_is(collected: list[str]) -> None:
    named = set(named_after(collected, "row"))
    assert sorted(set(range(1, 75)) - named) == [], "rows without a test"
    assert sorted(named - set(range(1, 75))) == [], "no such rows"


def test_every_case_of_the_way_through_cas_is_named_by_a_test(collected: list[str]) -> None:
    assert set(range(1, 26)) == set(named_after(collected, "cas"))


def test_every_row_is_explained_once_and_in_order() -> None:
    assert list(ROWS) == [str(number) for number in range(1, 75)]
    assert list(CASES) == [str(number) for number in range(1, 26)]
    for row in (*ROWS.values(), *CASES.values()):
        assert {"holds"} <= set(row) <= {"holds", "decision"}
        assert all(text.endswith(".") and "|" not in text for text in row.values())


def test_the_page_is_what_the_tests_are_called(collected: list[str]) -> None:
    written = generate_conformance.PAGE.read_text(encoding="utf-8")
    assert written == generate_conformance.page(collected), "run `make docs`"


def test_numbers_are_read_from_names_and_ids_alike() -> None:
    ids = ["tests/a.py::test_x_row1_row12", "tests/a.py::test_y[row3-narrow1-row]", "tests/b.py::test_z[arrow9]"]
    assert named_after(ids, "row") == {1: [ids[0]], 3: ["tests/a.py::test_y"], 12: [ids[0]]}
