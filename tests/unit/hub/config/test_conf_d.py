"""The site's own configuration files."""

from __future__ import annotations

from pathlib import Path

import pytest
from traitlets.config import Config

from hub.base_config import load_conf_d
from hub.config.field_types import SettingsError


def test_conf_d_files_run_in_order_and_see_configuration(tmp_path: Path) -> None:
    (tmp_path / "20-b.py").write_text("c.Spawner.args = [*c.Spawner.args, 'b']\n")
    (tmp_path / "10-a.py").write_text("get_config().Spawner.args = [*c.Spawner.args, 'a']\n")
    (tmp_path / "README.md").write_text("not Python")
    c = Config()
    c.Spawner.args = ["shipped"]
    assert load_conf_d(tmp_path, c) == ["10-a.py", "20-b.py"]
    assert c.Spawner.args == ["shipped", "a", "b"]


def test_missing_conf_d_folder_is_accepted(tmp_path: Path) -> None:
    assert load_conf_d(tmp_path / "nowhere", Config()) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("c.A.b = 1\nc.A.b = undefined\n", "in line 2: NameError"),
        ("c.A.b = (\n", "in line 1: SyntaxError"),
        ("\n\nraise ValueError('no')\n", "in line 3: ValueError: no"),
    ],
)
def test_conf_d_error_names_file_and_line(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "50-x.py").write_text(text)
    with pytest.raises(SettingsError, match=r"deployment/conf\.d/50-x\.py is wrong") as caught:
        load_conf_d(tmp_path, Config())
    assert words in str(caught.value)
