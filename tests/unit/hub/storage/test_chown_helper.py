"""Permissions of shared folders, with hostile content in them."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hub.storage import SHARED_GID
from hub.storage.chown_helper import share_folder
from tests.support.hub.volumes import make_deep_folders

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to a group it is not in")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_folders_and_files_get_the_group_and_stay_readable(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(mode=0o700)
    (tmp_path / "a/run").touch(mode=0o700)
    (tmp_path / "a/text").touch(mode=0o644)

    assert share_folder(tmp_path) == 4

    assert mode(tmp_path) == 0o2775
    assert (mode(tmp_path / "a"), mode(tmp_path / "a/run"), mode(tmp_path / "a/text")) == (0o2770, 0o770, 0o664)
    assert {one.stat().st_gid for one in (tmp_path, *tmp_path.rglob("*"))} == {SHARED_GID}
    assert share_folder(tmp_path) == 0, "a second run changes nothing"


def test_new_entries_belong_to_the_group_despite_umask(tmp_path: Path) -> None:
    share_folder(tmp_path)
    before = os.umask(0o077)
    try:
        (tmp_path / "later").mkdir()
        (tmp_path / "later/file").write_text("x")
    finally:
        os.umask(before)
    assert mode(tmp_path / "later") & 0o2070 == 0o2070
    assert mode(tmp_path / "later/file") & 0o060 == 0o060
    assert (tmp_path / "later/file").stat().st_gid == SHARED_GID


def test_links_are_not_followed_and_pipes_do_not_block(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    (outside / "deep").mkdir(parents=True, mode=0o700)
    (outside / "secret").touch(mode=0o600)
    inside.mkdir()
    (inside / "link").symlink_to(outside / "secret")
    (inside / "folder").symlink_to(outside)
    (inside / "loop").symlink_to(inside)
    (inside / "broken").symlink_to("/none")
    os.mkfifo(inside / "pipe", 0o600)

    share_folder(inside)

    assert (mode(outside / "secret"), mode(outside / "deep"), mode(inside / "pipe")) == (0o600, 0o700, 0o600)
    assert (outside / "secret").stat().st_gid == os.getgid()


def test_folder_that_is_a_link_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc")
    with pytest.raises(OSError, match="link"):
        share_folder(tmp_path / "link")


def test_deep_folders_do_not_stop_the_others(tmp_path: Path) -> None:
    make_deep_folders(tmp_path, levels=300)
    (tmp_path / "text").touch(mode=0o600)
    # A program of its own, because the test process has an unknown number of open files.
    command = ["prlimit", "--nofile=256", sys.executable, "-m", "hub.storage.chown_helper", str(tmp_path)]
    subprocess.run(command, check=True)
    assert mode(tmp_path / "text") == 0o660
    assert mode(tmp_path / "deep/" / ("x" * 20)) & 0o2070 == 0o2070


def test_programs_do_not_get_the_rights_of_the_group(tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    (tmp_path / "run").chmod(0o6755)
    share_folder(tmp_path)
    assert mode(tmp_path / "run") == 0o775
