"""Atomic file writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from passerelle_common.atomic_write import atomic_write


def test_new_content_replaces_old_with_mode(tmp_path: Path) -> None:
    target = tmp_path / "settings"
    target.write_text("old")
    with atomic_write(target, mode=0o640) as stream:
        stream.write(b"new")
        assert target.read_text() == "old"
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"new", 0o640)


def test_failure_keeps_old_content_and_no_draft(tmp_path: Path) -> None:
    target = tmp_path / "settings"
    target.write_text("old")
    with pytest.raises(TypeError), atomic_write(target) as stream:
        stream.write("not bytes")  # type: ignore[arg-type]
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]
