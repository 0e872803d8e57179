"""Consistency of the OIDC checklist with the test names, and of its page with the tests."""

from __future__ import annotations

from docs._generate import conformance as generate_conformance
from docs._generate.conformance import CASES, ROWS, named_after


def test_every_checklist_row_has_a_test(collected: list[str]) -> None:
    named = set(named_after(collected, "row"))
    assert sorted(set(range(1, 75)) - named) == [], "rows without a test"
    assert sorted(named - set(range(1, 75))) == [], "unknown rows"


def test_every_cas_case_has_a_test(collected: list[str]) -> None:
    assert set(range(1, 26)) == set(named_after(collected, "cas"))


def test_checklist_rows_are_explained_in_order() -> None:
    assert list(ROWS) == [str(number) for number in range(1, 75)]
    assert list(CASES) == [str(number) for number in range(1, 26)]
    for row in (*ROWS.values(), *CASES.values()):
        assert {"holds"} <= set(row) <= {"holds", "decision"}
        assert all(text.endswith(".") and "|" not in text for text in row.values())


def test_conformance_page_matches_test_names(collected: list[str]) -> None:
    written = generate_conformance.PAGE.read_text(encoding="utf-8")
    assert written == generate_conformance.page(collected), "run `make docs`"


def test_row_numbers_are_parsed_from_names_and_ids() -> None:
    ids = ["tests/a.py::test_x_row1_row12", "tests/a.py::test_y[row3-narrow1-row]", "tests/b.py::test_z[arrow9]"]
    assert named_after(ids, "row") == {1: [ids[0]], 3: ["tests/a.py::test_y"], 12: [ids[0]]}
