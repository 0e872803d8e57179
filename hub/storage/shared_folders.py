"""Shared folders of a lab: course folders by group, and one public folder for all users.

A lab mounts them under `SHARED`, outside the home. A home thus stays one volume that can be measured, backed up and
restored without the courses, and `rm -r` in it cannot delete a course. Links in the home lead to them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub.config.hub_toml import Course, HubToml
from hub.config.settings import StorageSettings
from hub.storage import SHARED_GID

if TYPE_CHECKING:  # the volume service imports this module and does not need JupyterHub
    from hub.spawner.docker import Lab

SHARED = "/srv"
COURSES = f"{SHARED}/courses"
PUBLIC = f"{SHARED}/public"
HOME = "/home/jovyan"

# Runs in the lab, as its user, at every start. It removes links to folders that are no longer shared, and leaves
# everything else of the same name alone.
LINK_SCRIPT = (
    f"cd {HOME} && for name in courses public; do "
    f'if [ -d "{SHARED}/$name" ]; then [ -e "$name" ] || [ -L "$name" ] || ln -s "{SHARED}/$name" "$name"; '
    f'elif [ "$(readlink "$name")" = "{SHARED}/$name" ]; then rm "$name"; fi; done'
)


@dataclass(frozen=True)
class Mount:
    """A volume or a folder of this machine, as a lab mounts it."""

    source: str
    target: str
    writable: bool


@dataclass(frozen=True)
class SharedFolders:
    """The shared folders of a deployment; `public` is a volume, an absolute path, or empty for none."""

    project: str
    courses: Mapping[str, Course]
    public: str = ""
    admin_groups: frozenset[str] = frozenset()

    def volumes(self) -> list[str]:
        """Return the volumes that the volume service creates; folders of the machine are the administrator's."""
        public = [self.public] if self.public and not self.public.startswith("/") else []
        return [*(self._volume(name) for name in self.courses), *public]

    def mounts_of(self, groups: Collection[str]) -> list[Mount]:
        """Return the mounts of a user in these groups; a teacher who is also a student may write."""
        found = []
        for name, course in self.courses.items():
            teaches = not set(groups).isdisjoint(course.teachers)
            if teaches or not set(groups).isdisjoint(course.students):
                found.append(Mount(self._volume(name), f"{COURSES}/{name}", writable=teaches))
        if self.public:
            found.append(Mount(self.public, PUBLIC, writable=not self.admin_groups.isdisjoint(groups)))
        return found

    def before_start(self, lab: Lab) -> None:
        """Mount the folders of the user's current groups; see `Lab.before_start`."""
        mounts = self.mounts_of({group.name for group in lab.user.groups})
        lab.volumes = lab.volumes | {
            mount.source: {"bind": mount.target, "mode": "rw" if mount.writable else "ro"} for mount in mounts
        }
        if any(mount.writable for mount in mounts):
            groups = [*lab.extra_host_config.get("group_add", []), str(SHARED_GID)]
            lab.extra_host_config = {**lab.extra_host_config, "group_add": groups}

    def _volume(self, course: str) -> str:
        return f"{self.project}-course-{course}"


def build_shared_folders(storage: StorageSettings, hub_toml: HubToml) -> SharedFolders:
    """Build the shared folders from the settings."""
    return SharedFolders(storage.project, hub_toml.courses, storage.public_folder, storage.admin_groups)
