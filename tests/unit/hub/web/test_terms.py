"""The announcement, the terms of use and their acceptances."""

from __future__ import annotations

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.config.field_types import SettingsError
from hub.web.rendering import MAX_LENGTH, Announcement
from hub.web.terms import MAX_SIZE, Acceptances, TermsInForce, read_terms

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_announcement_file_replaces_the_setting_at_once(tmp_path: Path) -> None:
    announcement = Announcement("of the setting", tmp_path)
    assert announcement.in_language("en") == "of the setting"
    (tmp_path / "announcement.txt").write_text("of the file\n")
    assert announcement.in_language("fr") == "of the file"
    (tmp_path / "announcement.fr.txt").write_text("du fichier")
    assert (announcement.in_language("fr"), announcement.in_language("en")) == ("du fichier", "of the file")
    (tmp_path / "announcement.txt").write_text(" \n")
    assert announcement.in_language("en") == "of the setting"


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"x" * (MAX_LENGTH * 3)])
def test_invalid_announcement_file_is_still_shown(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "announcement.txt").write_bytes(content)
    assert 0 < len(Announcement("", tmp_path).in_language("en")) <= MAX_LENGTH + 1


def test_unreadable_announcement_is_logged_and_not_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "announcement.txt").mkdir()
    assert Announcement("", tmp_path).in_language("en") == ""
    assert "announcement.txt is not shown" in caplog.text


@pytest.mark.parametrize(
    ("markdown", "forbidden"),
    [
        ("<script>alert(1)</script>", "<script"),
        ("<img src=x onerror=alert(1)>", "<img"),
        ("[x](javascript:alert(1))", "href"),
        ("[x](data:text/html,x)", "href"),
        ("![x](https://elsewhere.example/pixel.png)", "<img"),
        ('[x](https://x.example "a\\" onclick=\\"alert(1)")', '" onclick'),
        ("{{ 7 * 7 }}", "49"),
    ],
)
def test_terms_run_no_script_and_load_nothing(tmp_path: Path, markdown: str, forbidden: str) -> None:
    (tmp_path / "terms.md").write_text(f"# Rules\n\n{markdown}\n")
    html, _ = read_terms(tmp_path, "terms.md").in_language("en")
    assert "<h1>Rules</h1>" in html
    assert forbidden not in html


def test_plain_text_terms_are_escaped(tmp_path: Path) -> None:
    (tmp_path / "terms.txt").write_text("a < b *c*")
    assert read_terms(tmp_path, "terms.txt").in_language("en")[0] == "<pre>a &lt; b *c*</pre>"


def test_version_covers_all_languages(tmp_path: Path) -> None:
    (tmp_path / "terms.md").write_text("one")
    first = read_terms(tmp_path, "terms.md")
    (tmp_path / "terms.fr.md").write_text("un")
    second = read_terms(tmp_path, "terms.md")
    assert first.version != second.version
    assert second.in_language("fr") == ("<p>un</p>\n", "fr")
    assert second.in_language("en") == ("<p>one</p>\n", "")
    (tmp_path / "terms.fr.md").write_text("un\n\n")
    assert read_terms(tmp_path, "terms.md").version == second.version  # surrounding space does not count


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        (b"", "terms.md is empty"),
        (b"x" * (MAX_SIZE + 1), "larger than 200 kB"),
        (b"\xff", "utf-8"),
    ],
)
def test_unreadable_terms_are_a_settings_error(tmp_path: Path, content: bytes | None, reason: str) -> None:
    if content is not None:
        (tmp_path / "terms.md").write_bytes(content)
    with pytest.raises(SettingsError, match=reason):
        TermsInForce(tmp_path, "terms.md")


def test_removed_terms_stay_in_force(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "terms.md").write_text("one")
    in_force = TermsInForce(tmp_path, "terms.md")
    version = in_force.now().version
    (tmp_path / "terms.md").unlink()
    assert in_force.now().version == version
    assert "the previous version stays in force" in caplog.text
    (tmp_path / "terms.md").write_text("two")
    assert in_force.now().version != version


def test_acceptance_counts_for_one_version_and_one_account(tmp_path: Path) -> None:
    (tmp_path / "terms.md").write_text("one")
    terms = read_terms(tmp_path, "terms.md")
    acceptances = Acceptances(tmp_path)
    assert acceptances.when("bob", terms.version, since=NOON) is None
    acceptances.accept("bob", terms, NOON)
    assert acceptances.when("bob", terms.version, since=NOON) == NOON
    assert acceptances.when("carol", terms.version, since=NOON) is None
    assert acceptances.when("bob", "0" * 64, since=NOON) is None
    # A later account with the same name.
    assert acceptances.when("bob", terms.version, since=NOON + timedelta(seconds=1)) is None
    acceptances.delete("bob")
    assert acceptances.when("bob", terms.version, since=NOON) is None


def test_accepted_texts_are_kept(tmp_path: Path) -> None:
    (tmp_path / "terms.md").write_text("one")
    (tmp_path / "terms.fr.md").write_text("un")
    terms = read_terms(tmp_path, "terms.md")
    Acceptances(tmp_path).accept("bob", terms)
    with closing(sqlite3.connect(tmp_path / "terms.sqlite3")) as database:
        (texts,) = database.execute("SELECT texts FROM terms").fetchone()
    assert json.loads(texts) == {"": "one", "fr": "un"}


def test_thirty_users_accept_concurrently(tmp_path: Path) -> None:
    (tmp_path / "terms.md").write_text("one")
    terms = read_terms(tmp_path, "terms.md")
    acceptances = Acceptances(tmp_path)
    names = [f"user'{n}" for n in range(30)]
    with ThreadPoolExecutor(30) as pool:
        list(pool.map(lambda name: acceptances.accept(name, terms, NOON), names))
    assert all(acceptances.when(name, terms.version, since=NOON) for name in names)
