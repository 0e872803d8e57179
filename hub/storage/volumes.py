"""Operations on volumes (create, share, measure), each in a short-lived container.

The hub itself mounts no home and no course. The container runs the hub's own image, never one that users choose. It
has no network, a read-only root file system, few capabilities, and mounts only the volumes in question.
"""

import contextlib
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import docker
from docker.errors import DockerException, NotFound
from requests.exceptions import RequestException

from hub.storage import SHARED_GID, SHARED_LABEL

LABEL = "org.passerelle.tool"
ISOLATION: dict[str, Any] = {
    "network_mode": "none",
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
}
"""Options of every container that mounts volumes for the hub or for the administrator's commands."""
SHARE_TIMEOUT = 300  # seconds for all shared folders together
_ENGINE_TIMEOUT = 60  # seconds
_START_ALLOWANCE = 10  # seconds for the engine to create the container and to report its end


class ToolError(Exception):
    """A container for volumes failed; the text is for the log."""


@dataclass(frozen=True)
class Volumes:
    """The volumes of one deployment on its engine."""

    project: str
    image: str

    @cached_property
    def client(self) -> docker.DockerClient:
        """Return the engine's client; the first use connects."""
        return docker.from_env(timeout=_ENGINE_TIMEOUT)

    def create_shared(self, names: Sequence[str]) -> None:
        """Create missing volumes, and make them all writable for members of `SHARED_GID`."""
        if not names:
            return
        for name in names:
            self.client.volumes.create(name, labels={SHARED_LABEL: self.project})
        binds = {name: {"bind": f"/volumes/{name}", "mode": "rw"} for name in names}
        command = ["python", "-m", "hub.storage.chown_helper", *(bind["bind"] for bind in binds.values())]
        self._run(command, binds, ["CHOWN", "FOWNER", "FSETID", "DAC_READ_SEARCH"], SHARE_TIMEOUT)

    def size(self, name: str, timeout: int) -> int:
        """Return the bytes on the disk, 0 for a missing volume; raise ToolError after `timeout` seconds."""
        try:
            self.client.volumes.get(name)
        except NotFound:  # mounting it would create it
            return 0
        except (DockerException, RequestException, OSError) as error:
            raise ToolError(f"{name}: {error}") from error
        command = ["timeout", "--signal=KILL", str(timeout), "du", "-sx", "--block-size=1", "/volume"]
        output = self._run(command, {name: {"bind": "/volume", "mode": "ro"}}, ["DAC_READ_SEARCH"], timeout)
        # The number is valid although du may report files that vanished meanwhile.
        number = output.split("\t", 1)[0]
        if not number.isdecimal():
            raise ToolError(f"{name} could not be measured within {timeout} s: {output[-200:]!r}")
        return int(number)

    def homes(self) -> list[str]:
        """Return the volumes of all homes."""
        prefix = f"{self.project}-home-"
        found = self.client.api.volumes(filters={"name": prefix})["Volumes"] or []
        return sorted(volume["Name"] for volume in found if volume["Name"].startswith(prefix))

    def homes_in_use(self) -> set[str]:
        """Return the volumes of homes in which a lab runs."""
        labs = self.client.api.containers(filters={"label": f"com.docker.compose.project={self.project}-labs"})
        names = {mount.get("Name", "") for lab in labs for mount in lab["Mounts"]}
        return {name for name in names if name.startswith(f"{self.project}-home-")}

    def remove_leftovers(self) -> None:
        """Remove containers that a killed hub left behind."""
        for container in self.client.containers.list(all=True, filters={"label": f"{LABEL}={self.project}"}):
            container.remove(force=True)

    def _run(self, command: list[str], binds: dict[str, dict[str, str]], capabilities: list[str], timeout: int) -> str:
        """Run a command in a container, remove the container, and return the command's standard output."""
        container = None
        try:
            with _signals_delayed():
                container = self.client.containers.create(
                    self.image,
                    entrypoint=command,
                    command=[],
                    volumes=binds,
                    user=f"0:{SHARED_GID}",
                    labels={LABEL: self.project},
                    cap_add=capabilities,
                    **ISOLATION,
                    mem_limit="256m",
                    cpu_shares=128,
                    pids_limit=16,
                    log_config={"type": "json-file", "config": {"max-size": "1m"}},
                )
            container.start()
            status = container.wait(timeout=timeout + _START_ALLOWANCE)["StatusCode"]
            output = str(container.logs(stdout=True, stderr=False).decode(errors="replace"))
            if status and not output:
                raise ToolError(f"{command[0]} ended with {status}: {container.logs().decode(errors='replace')[-300:]}")
        except (DockerException, RequestException, OSError) as error:
            raise ToolError(f"{command[0]}: {error}") from error
        finally:
            if container is not None:
                with contextlib.suppress(DockerException, RequestException, OSError):
                    container.remove(force=True)
        return output


@contextlib.contextmanager
def _signals_delayed() -> Iterator[None]:
    """Delay the end of this process, which must know the id of a new container to remove it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
