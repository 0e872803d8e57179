"""The language rules of the project hold for the whole tree (tests/language.py)."""

from __future__ import annotations

import pytest

from tests.language import MAX_CLAUSE_SHARE, Report, measure, opens_with_clause


@pytest.fixture(scope="module")
def report() -> Report:
    return measure(["."])


def test_docstrings_begin_with_the_main_clause(report: Report) -> None:
    assert report.docstrings > 500
    assert report.clause_share <= MAX_CLAUSE_SHARE, report.clauses


def test_tree_contains_no_banned_word(report: Report) -> None:
    assert report.banned == []


def test_tree_contains_no_retired_name(report: Report) -> None:
    assert report.retired == []


def test_commit_subjects_fit_into_one_line(report: Report) -> None:
    assert report.long_subjects == []


@pytest.mark.parametrize(
    ("text", "is_clause"),
    [
        ("Return the claims for a userinfo response.", False),
        ("Rate limits for the token endpoint.", False),
        ("What the client may ask.", True),
        ("Of the session, the identifier.", True),
        ("Whoever signs in.", True),
    ],
)
def test_clause_openings_are_detected(text: str, is_clause: bool) -> None:
    assert opens_with_clause(text) is is_clause
