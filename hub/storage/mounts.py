"""Who sees which shared folder, and how: course folders by group, the public folder for everybody.

Decides, and knows neither JupyterHub nor the engine. A lab carries the folders under `SHARED`, outside the home: a home
stays one volume that can be measured, kept and restored without the courses, and `rm -r` in it cannot empty a
teacher's folder. Links in the home (`LINK_FOLDERS`) put them where JupyterLab's file browser looks.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # not for those who want the numbers and paths below
    from hub.config.hub_toml import Course

SHARED = "/srv"
COURSES = f"{SHARED}/courses"
PUBLIC = f"{SHARED}/public"
HOME = "/home/jovyan"
# Who may write to shared folders: labs of teachers and administrators are members of it, whatever their image's user.
SHARED_GID = 10100

# Run inside the lab, as its user, at every start. Whatever else bears the name is the user's and stays; a link to what
# is no longer shared goes.
LINK_FOLDERS = (
    f"cd {HOME} && for name in courses public; do "
    f'if [ -d "{SHARED}/$name" ]; then [ -e "$name" ] || [ -L "$name" ] || ln -s "{SHARED}/$name" "$name"; '
    f'elif [ "$(readlink "$name")" = "{SHARED}/$name" ]; then rm "$name"; fi; done'
)


@dataclass(frozen=True)
class Mount:
    """A volume or a folder of this machine, as a lab sees it."""

    source: str
    target: str
    writable: bool


@dataclass(frozen=True)
class SharedFolders:
    """All that a deployment shares."""

    project: str
    courses: Mapping[str, Course]
    public: str = ""
    """A volume's name or a folder's absolute path; empty for none."""
    admin_groups: frozenset[str] = frozenset()

    def volumes(self) -> list[str]:
        """Those that this deployment makes. A folder of the machine is the administrator's to make."""
        public = [self.public] if self.public and not self.public.startswith("/") else []
        return [*(self._volume(name) for name in self.courses), *public]

    def mounts_of(self, groups: Collection[str]) -> list[Mount]:
        """What somebody in these groups gets. Whoever teaches a course and attends it as well may write."""
        found = []
        for name, course in self.courses.items():
            teaches = not set(groups).isdisjoint(course.teachers)
            if teaches or not set(groups).isdisjoint(course.students):
                found.append(Mount(self._volume(name), f"{COURSES}/{name}", writable=teaches))
        if self.public:
            found.append(Mount(self.public, PUBLIC, writable=not self.admin_groups.isdisjoint(groups)))
        return found

    def _volume(self, course: str) -> str:
        return f"{self.project}-course-{course}"
