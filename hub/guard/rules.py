"""The rules of one deployment: images, volumes, networks and limits, from the settings and `hub.toml`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from hub.config.field_types import Settings, parse_size
from hub.config.settings import ConfigFileSettings, LabSettings, StorageSettings
from hub.storage import SHARED_LABEL
from hub.storage.quota import CLEANUP_CPU, CLEANUP_MEMORY
from hub.storage.shared_folders import build_shared_folders
from hub.storage.volumes import LABEL

_ESCAPED = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,200}"
PROJECT_LABEL = "com.docker.compose.project"


class RefusedError(Exception):
    """A call that the guard does not pass on; the text is the reason, for the log and for the hub."""


class GuardSettings(Settings):
    """Settings of the guard: a part of those of the hub."""

    lab: LabSettings
    storage: StorageSettings
    config_file: ConfigFileSettings


def lab_labels(project: str) -> dict[str, str]:
    """Return the labels of a lab.

    A separate compose project: `docker compose -p <project>-labs down` stops all labs, and `--remove-orphans` of the
    deployment does not affect them. Compose requires all of these labels.
    """
    return {
        PROJECT_LABEL: f"{project}-labs",
        "com.docker.compose.service": "lab",
        "com.docker.compose.oneoff": "False",
        "com.docker.compose.container-number": "1",
        "com.docker.compose.config-hash": "made-by-the-hub",
    }


@dataclass(frozen=True)
class Rules:
    """Values that the guard compares calls with."""

    project: str
    lab_images: frozenset[str]
    tool_image: str
    networks: frozenset[str]
    shared_volumes: frozenset[str]
    lab_folders: frozenset[str]
    """Folders of the server that labs may mount: the public folder, if it is one."""
    memory: int
    cpus: float
    processes: int
    gpus: frozenset[str]
    shm_size: int
    tmpfs: Mapping[str, str]
    runtime: str

    def owns_lab_name(self, name: str) -> bool:
        """Return whether a container may have this name."""
        return bool(re.fullmatch(rf"{re.escape(self.project)}-lab-{_ESCAPED}", name))

    def is_home(self, volume: str) -> bool:
        """Return whether a volume is a home."""
        return bool(re.fullmatch(rf"{re.escape(self.project)}-home-{_ESCAPED}", volume))

    def owns_volume(self, volume: str) -> bool:
        """Return whether a volume is a home or a shared folder."""
        return self.is_home(volume) or volume in self.shared_volumes

    def image_paths(self) -> dict[str, str]:
        """Return the images by their names as a client escapes them in a path."""
        return {quote(image, safe="/:"): quote(image, safe="/:") for image in {*self.lab_images, self.tool_image}}

    def owns_container(self, labels: dict[str, str], name: str) -> bool:
        """Return whether a container was created through the guard of this deployment."""
        if labels.get(LABEL) == self.project:
            return True
        return labels.get(PROJECT_LABEL) == f"{self.project}-labs" and self.owns_lab_name(name.removeprefix("/"))

    def list_filters(self) -> dict[str, list[dict[str, list[str]]]]:
        """Return the filters with which lists of each kind may be requested."""
        labels = [f"{PROJECT_LABEL}={self.project}-labs", f"{LABEL}={self.project}"]
        return {
            "containers": [{"label": [label]} for label in labels],
            "volumes": [{"name": [f"{self.project}-home-"]}],
        }

    def shared_labels(self) -> dict[str, str]:
        """Return the labels of the volume of a shared folder."""
        return {SHARED_LABEL: self.project}


def build_rules(settings: GuardSettings) -> Rules:
    """Build the rules; the highest limit of all groups is the limit of a lab."""
    lab, content = settings.lab, settings.config_file.content
    groups = list(content.groups.values())
    shared = build_shared_folders(settings.storage, content)
    public = shared.public if shared.public.startswith("/") else ""
    sizes = [lab.mem_limit, CLEANUP_MEMORY, *(rules.memory for rules in groups if rules.memory)]
    return Rules(
        project=lab.project,
        lab_images=frozenset({lab.image, *(image.image for image in content.images if image.image)}),
        tool_image=settings.storage.tool_image,
        networks=frozenset({lab.network_name}),
        shared_volumes=frozenset(shared.volumes()),
        lab_folders=frozenset({public} - {""}),
        memory=max(parse_size(size) for size in sizes),
        cpus=max([lab.cpu_limit, CLEANUP_CPU, *(rules.cpu for rules in groups if rules.cpu)]),
        processes=max([lab.pids_limit, *(rules.processes for rules in groups if rules.processes)]),
        shm_size=parse_size(lab.shm_size),
        tmpfs=lab.tmpfs,
        runtime=lab.runtime,
        gpus=frozenset(gpu for rules in groups for gpu in rules.gpus),
    )
