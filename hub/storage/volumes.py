"""What is done to volumes: made, opened to a group, measured. Each time by a container that lives for seconds.

The hub itself sees no home and no course. Such a container is of the hub's own image, never of one that users can
choose, has no network, a read-only root, one or two capabilities, and only the volumes in question.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import docker
from docker.errors import DockerException, NotFound
from requests.exceptions import RequestException

from hub.config.settings import Reader
from hub.storage.mounts import SHARED_GID

LABEL = "org.passerelle.tool"
SHARING_WITHIN = 300  # seconds for all shared folders together
_ENGINE_ANSWERS_WITHIN = 60
_SPARE_SECONDS = 10  # for the engine to make the container and tell its end


class ToolError(Exception):
    """A container for volumes could not do its work; the reason is for the log."""


def read_tool_image(read: Reader) -> str:
    """The hub's own image: unless told otherwise, as compose names what it builds."""
    return read.text("TOOL_IMAGE", f"{read.text('PROJECT_NAME')}-hub")


@dataclass(frozen=True)
class Volumes:
    """The volumes of one deployment, through its engine."""

    project: str
    image: str

    @cached_property
    def client(self) -> docker.DockerClient:
        """Asks the engine for its version, so not before it is needed."""
        return docker.from_env(timeout=_ENGINE_ANSWERS_WITHIN)

    def make(self, names: Sequence[str]) -> None:
        """Have these volumes, made if they are not there, writable to those who may write shared folders."""
        if not names:
            return
        for name in names:
            self.client.volumes.create(name, labels={"org.passerelle.project": self.project})
        binds = {name: {"bind": f"/volumes/{name}", "mode": "rw"} for name in names}
        command = ["python", "-m", "hub.storage.chown_helper", *(bind["bind"] for bind in binds.values())]
        self._run(command, binds, ["CHOWN", "FOWNER", "FSETID", "DAC_READ_SEARCH"], SHARING_WITHIN)

    def size(self, name: str, within: int) -> int:
        """The bytes that the volume takes on the disk, counted in at most so many seconds; 0 if there is none."""
        try:
            self.client.volumes.get(name)
        except NotFound:  # to mount it would make it
            return 0
        except (DockerException, RequestException, OSError) as fault:
            raise ToolError(f"{name}: {fault}") from fault
        command = ["timeout", "--signal=KILL", str(within), "du", "-sx", "--block-size=1", "/volume"]
        said = self._run(command, {name: {"bind": "/volume", "mode": "ro"}}, ["DAC_READ_SEARCH"], within)
        # A number is one even if du complains: files may vanish while it counts.
        number = said.split("\t", 1)[0]
        if not number.isdecimal():
            raise ToolError(f"{name} could not be measured within {within} s: {said[-200:]!r}")
        return int(number)

    def homes(self) -> list[str]:
        """The volumes of all homes."""
        prefix = f"{self.project}-home-"
        found = self.client.api.volumes(filters={"name": prefix})["Volumes"] or []
        return sorted(one["Name"] for one in found if one["Name"].startswith(prefix))

    def homes_in_use(self) -> set[str]:
        """The volumes of homes in which a lab runs."""
        labs = self.client.api.containers(filters={"label": f"com.docker.compose.project={self.project}-labs"})
        names = {mount.get("Name", "") for lab in labs for mount in lab["Mounts"]}
        return {name for name in names if name.startswith(f"{self.project}-home-")}

    def tidy(self) -> None:
        """Remove what a killed hub left behind."""
        for one in self.client.containers.list(all=True, filters={"label": f"{LABEL}={self.project}"}):
            one.remove(force=True)

    def _run(self, command: list[str], binds: dict[str, dict[str, str]], rights: list[str], within: int) -> str:
        """Standard output of the command. Bounded in time, and nothing is left of the container."""
        container = None
        try:
            container = self.client.containers.create(
                self.image,
                entrypoint=command,
                command=[],
                volumes=binds,
                user=f"0:{SHARED_GID}",
                labels={LABEL: self.project},
                network_mode="none",
                read_only=True,
                cap_drop=["ALL"],
                cap_add=rights,
                security_opt=["no-new-privileges:true"],
                mem_limit="256m",
                cpu_shares=128,
                pids_limit=16,
                log_config={"type": "json-file", "config": {"max-size": "1m"}},
            )
            container.start()
            code = container.wait(timeout=within + _SPARE_SECONDS)["StatusCode"]
            said = str(container.logs(stdout=True, stderr=False).decode(errors="replace"))
            if code and not said:
                raise ToolError(f"{command[0]} ended with {code}: {container.logs().decode(errors='replace')[-300:]}")
        except (DockerException, RequestException, OSError) as fault:
            raise ToolError(f"{command[0]}: {fault}") from fault
        finally:
            if container is not None:
                with contextlib.suppress(DockerException, RequestException, OSError):
                    container.remove(force=True)
        return said
