"""Which shared folders somebody sees, and whether the links to them leave a home as its owner wants it."""

import subprocess
from pathlib import Path

import pytest

from hub.config.hub_toml import Course, HubToml
from hub.config.settings import Reader, SettingsError
from hub.storage import mounts
from hub.storage.mounts import Mount, SharedFolders
from hub.storage.shared_folders import read_shared_folders

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
def test_a_course_is_read_by_its_students_and_written_by_its_teachers(groups: set[str], writable: list[bool]) -> None:
    mounts = folders().mounts_of(groups)

    assert [one.writable for one in mounts] == writable
    assert {(one.source, one.target) for one in mounts} <= {("p-course-algebra", "/srv/courses/algebra")}


def test_the_public_folder_is_everybodys_to_read_and_the_administrators_to_write() -> None:
    shared = folders(courses={}, public="p-public", admin_groups=frozenset({"admins"}))

    assert shared.mounts_of(set()) == [Mount("p-public", "/srv/public", writable=False)]
    assert shared.mounts_of({"admins", "x"}) == [Mount("p-public", "/srv/public", writable=True)]


def test_an_administrator_sees_no_course_but_their_own() -> None:
    assert folders(admin_groups=frozenset({"admins"})).mounts_of({"admins"}) == []


def test_volumes_are_made_for_what_is_declared_but_never_a_folder_of_the_machine() -> None:
    assert folders(public="p-public").volumes() == ["p-course-algebra", "p-public"]
    assert folders(public="/data/public").volumes() == ["p-course-algebra"]


@pytest.mark.parametrize(
    ("given", "public"), [("", ""), ("volume", "p-public"), ("/data/public files", "/data/public files")]
)
def test_the_public_folder_is_a_volume_or_a_folder(given: str, public: str) -> None:
    reader = Reader({"PROJECT_NAME": "p", "LAB_PUBLIC_FOLDER": given})
    assert read_shared_folders(reader, HubToml()).public == public
    reader.check()


@pytest.mark.parametrize(
    "given", ["public", "p-home-alice", "/a:/etc", "/a:ro", "relative/x", "/a/../etc", "/{username}", "/a\nb", "/"]
)
def test_no_other_word_for_the_public_folder_reaches_the_engine(given: str) -> None:
    reader = Reader({"PROJECT_NAME": "p", "LAB_PUBLIC_FOLDER": given})
    read_shared_folders(reader, HubToml())
    with pytest.raises(SettingsError, match="LAB_PUBLIC_FOLDER"):
        reader.check()


class TestLinks:
    """The script that a lab runs at its start, on folders of our own."""

    @pytest.fixture
    def home(self, tmp_path: Path) -> Path:
        (tmp_path / "home").mkdir()
        return tmp_path / "home"

    def run(self, home: Path) -> None:
        script = mounts.LINK_FOLDERS.replace(mounts.HOME, str(home)).replace(mounts.SHARED, str(home.parent / "srv"))
        subprocess.run(["sh", "-c", script], check=True, timeout=10)

    def test_lead_to_what_is_shared(self, home: Path) -> None:
        (home.parent / "srv/courses/algebra").mkdir(parents=True)
        self.run(home)
        self.run(home)
        assert [one.name for one in (home / "courses").iterdir()] == ["algebra"]
        assert not (home / "public").is_symlink()

    def test_go_when_nothing_is_shared_any_more(self, home: Path) -> None:
        (home.parent / "srv/public").mkdir(parents=True)
        self.run(home)
        (home.parent / "srv/public").rmdir()
        self.run(home)
        assert list(home.iterdir()) == []

    def test_leave_alone_what_the_user_has_under_that_name(self, home: Path) -> None:
        (home.parent / "srv/courses").mkdir(parents=True)
        (home.parent / "srv/public").mkdir()
        (home / "courses").mkdir()
        (home / "courses/mine.txt").write_text("mine")
        (home / "public").symlink_to("elsewhere")
        self.run(home)
        assert (home / "courses/mine.txt").read_text() == "mine"
        assert str((home / "public").readlink()) == "elsewhere"
        assert not (home / "courses/courses").exists()

    def test_leave_a_folder_of_the_users_when_nothing_is_shared(self, home: Path) -> None:
        (home / "courses").mkdir()
        (home / "public").write_text("mine")
        self.run(home)
        assert sorted(one.name for one in home.iterdir()) == ["courses", "public"]
