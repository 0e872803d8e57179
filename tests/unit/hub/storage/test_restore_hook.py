"""A lab does not start on a home whose restore is unfinished."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub.spawner import SpawnException

from hub.config.settings import RESTORE_MARKS
from hub.storage.restore_hook import RestoreHook
from tests.support.hub.backups import write


def start_lab(data_dir: Path, user: str) -> None:
    lab: Any = SimpleNamespace(escaped_name=user)
    RestoreHook(data_dir).before_start(lab)


def test_unfinished_restore_of_a_home_rejects_its_lab(tmp_path: Path) -> None:
    write(tmp_path / RESTORE_MARKS / "home/bob")
    with pytest.raises(SpawnException) as caught:
        start_lab(tmp_path, "bob")
    assert caught.value.status_code == 503


def test_labs_of_other_homes_start(tmp_path: Path) -> None:
    start_lab(tmp_path, "ann")
    write(tmp_path / RESTORE_MARKS / "home/bob")
    start_lab(tmp_path, "ann")
