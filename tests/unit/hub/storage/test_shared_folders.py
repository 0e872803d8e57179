"""Shared folders of a user, and the links to them in a home."""

import subprocess
from pathlib import Path

import pytest

from hub.config.hub_toml import Course
from hub.storage.shared_folders import HOME, LINK_SCRIPT, SHARED, Mount, SharedFolders

ALGEBRA = Course(teachers=("staff", "tutors"), students=("maths",))


def folders(**changed: object) -> SharedFolders:
    given: dict[str, object] = {"project": "p", "courses": {"algebra": ALGEBRA}}
    return SharedFolders(**{**given, **changed})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("groups", "writable"),
    [
        ({"staff"}, [True]),
        ({"tutors"}, [True]),
        ({"maths"}, [False]),
        ({"maths", "tutors"}, [True]),
        ({"Maths", "mathsx"}, []),
        (set(), []),
    ],
)
def test_students_read_a_course_and_teachers_write_it(groups: set[str], writable: list[bool]) -> None:
    mounts = folders().mounts_of(groups)

    assert [mount.writable for mount in mounts] == writable
    assert {(mount.source, mount.target) for mount in mounts} <= {("p-course-algebra", "/srv/courses/algebra")}


def test_all_users_read_public_folder_and_administrators_write() -> None:
    shared = folders(courses={}, public="p-public", admin_groups=frozenset({"admins"}))

    assert shared.mounts_of(set()) == [Mount("p-public", "/srv/public", writable=False)]
    assert shared.mounts_of({"admins", "x"}) == [Mount("p-public", "/srv/public", writable=True)]


def test_administrators_see_only_courses_of_their_groups() -> None:
    assert folders(admin_groups=frozenset({"admins"})).mounts_of({"admins"}) == []


def test_volumes_are_declared_but_folders_of_machine_are_not() -> None:
    assert folders(public="p-public").volumes() == ["p-course-algebra", "p-public"]
    assert folders(public="/data/public").volumes() == ["p-course-algebra"]


class TestLinks:
    """The script that a lab runs at its start, on temporary folders."""

    @pytest.fixture
    def home(self, tmp_path: Path) -> Path:
        (tmp_path / "home").mkdir()
        return tmp_path / "home"

    def run(self, home: Path) -> None:
        script = LINK_SCRIPT.replace(HOME, str(home)).replace(SHARED, str(home.parent / "srv"))
        subprocess.run(["sh", "-c", script], check=True, timeout=10)

    def test_links_lead_to_shared_folders(self, home: Path) -> None:
        (home.parent / "srv/courses/algebra").mkdir(parents=True)
        self.run(home)
        self.run(home)
        assert [path.name for path in (home / "courses").iterdir()] == ["algebra"]
        assert not (home / "public").is_symlink()

    def test_links_are_removed_when_sharing_ends(self, home: Path) -> None:
        (home.parent / "srv/public").mkdir(parents=True)
        self.run(home)
        (home.parent / "srv/public").rmdir()
        self.run(home)
        assert list(home.iterdir()) == []

    def test_user_files_with_the_same_names_stay(self, home: Path) -> None:
        (home.parent / "srv/courses").mkdir(parents=True)
        (home.parent / "srv/public").mkdir()
        (home / "courses").mkdir()
        (home / "courses/mine.txt").write_text("mine")
        (home / "public").symlink_to("elsewhere")
        self.run(home)
        assert (home / "courses/mine.txt").read_text() == "mine"
        assert str((home / "public").readlink()) == "elsewhere"
        assert not (home / "courses/courses").exists()

    def test_user_files_stay_when_nothing_is_shared(self, home: Path) -> None:
        (home / "courses").mkdir()
        (home / "public").write_text("mine")
        self.run(home)
        assert sorted(path.name for path in home.iterdir()) == ["courses", "public"]
