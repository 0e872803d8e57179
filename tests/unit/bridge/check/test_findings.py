"""Text helpers of the findings."""

from __future__ import annotations

import pytest

from bridge.check.findings import format_duration, join_names, printable


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 seconds"), (1, "1 second"), (60, "1 minute"), (90, "90 seconds"), (600, "10 minutes"), (-7200, "2 hours")],
)
def test_duration_uses_largest_suitable_unit(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_server_text_is_one_short_printable_line() -> None:
    text = printable("a\x1b[2J\r\nb\u202e" + "x" * 1000)
    assert text.startswith("a?[2J b?xxx")
    assert len(text) <= 201
    assert join_names((str(number) for number in range(20)), limit=3) == "0, 1, 2 and 17 more"
