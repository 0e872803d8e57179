"""The folders of a lab: hangs into each start what the person's groups of that moment give.

The home is a volume of the person's own (`jupyterhub_config.py`); shared folders come from `courses.py`, the limit of
the home from `quota.py`. Volumes are made and measured by `keeper.py`, never here: a start does not wait for it.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from hub.config.hub_toml import HubToml
from hub.config.settings import Reader
from hub.storage.mounts import LINK_FOLDERS, SHARED_GID, SharedFolders

if TYPE_CHECKING:  # the keeper reads this too, and needs no JupyterHub for it
    from hub.spawner.docker import Lab

LINK_COMMAND = f"sh -c {shlex.quote(LINK_FOLDERS)}"
PUBLIC_VOLUME = "volume"
# What Docker takes in `source:target:mode`, without the braces that the spawner would fill in.
_FOLDER = re.compile(r"/[^:{}\x00-\x1f]+")


def read_shared_folders(read: Reader, declared: HubToml) -> SharedFolders:
    """What is shared, by .env and hub.toml."""
    project = read.text("PROJECT_NAME")
    public = read.text("LAB_PUBLIC_FOLDER", "")
    if public == PUBLIC_VOLUME:
        public = f"{project}-public"
    elif public and (not _FOLDER.fullmatch(public) or ".." in Path(public).parts):
        read.refuse(
            f"LAB_PUBLIC_FOLDER is {public!r} but must be {PUBLIC_VOLUME!r} or the absolute path of a folder on this "
            "machine, without '..', ':', '{' or '}'"
        )
        public = ""
    return SharedFolders(project, declared.courses, public, read.groups("AUTH_ADMIN_GROUPS"))


class SharedFoldersStep:
    """Before a start: the shared folders of the person's groups as they are now."""

    def __init__(self, folders: SharedFolders) -> None:
        self._folders = folders

    def before_start(self, lab: Lab) -> None:
        mounts = self._folders.mounts_of({group.name for group in lab.user.groups})
        lab.volumes = {
            **lab.volumes,
            **{one.source: {"bind": one.target, "mode": "rw" if one.writable else "ro"} for one in mounts},
        }
        if any(one.writable for one in mounts):
            groups = [*lab.extra_host_config.get("group_add", []), str(SHARED_GID)]
            lab.extra_host_config = {**lab.extra_host_config, "group_add": groups}
