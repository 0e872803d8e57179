"""Pages that come from the code say what the code says."""

from docs import generate_settings


def test_the_settings_page_is_what_the_docstrings_say() -> None:
    assert generate_settings.PAGE.read_text(encoding="utf-8") == generate_settings.page(), "run `make docs`"


def test_every_setting_is_explained() -> None:
    rows = [line for line in generate_settings.page().splitlines() if line.startswith("| `")]

    assert len(rows) > 20
    assert [row for row in rows if row.rstrip().endswith("| |")] == []
