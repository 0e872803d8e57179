"""What the commands ask of the Docker engine, and the one-shot container that does their reading and writing."""

from __future__ import annotations

import io
import json
import socket
import tarfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Self

import docker
from docker.errors import APIError, DockerException, NotFound
from docker.types import Mount

from hub.administration.faults import AdministrationError
from hub.administration.names import PROJECT_LABEL, Volume, volume_labels, volume_name, volumes_of

SERVICE_LABEL = "com.docker.compose.service"
ONE_OFF_LABEL = "com.docker.compose.oneoff"
FOLDER_LABEL = "com.docker.compose.project.working_dir"
# What root needs to read and write files of any owner; nothing else of root's powers.
RIGHTS = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID")
WITHIN = 120  # seconds for one answer of the engine


@dataclass(frozen=True)
class Inside:
    """What the one-shot container sees."""

    volumes: tuple[Volume, ...] = ()
    writable: frozenset[str] = frozenset()
    """Kinds of volumes that it may write to."""
    target: str = ""
    """A folder of the machine."""
    makes_target: bool = False
    """It may be made, and written to."""
    settings: bool = False
    """The folders of compose.yml and .env, to read."""


class Engine:
    """The engine, seen from a container of the deployment."""

    def __init__(self, client: Any, own: Any) -> None:
        self._client, self._own = client, own
        self.project: str = own.labels[PROJECT_LABEL]
        self.folder: str = own.labels.get(FOLDER_LABEL, "")
        """Where on the machine `docker compose` was called."""

    @classmethod
    def open(cls) -> Self:
        """Ask which container this is."""
        try:
            client = docker.from_env(timeout=WITHIN)
            own = client.containers.get(socket.gethostname())
        except (DockerException, OSError):
            own = None
        if own is None or PROJECT_LABEL not in own.labels:
            raise AdministrationError(
                "this command runs beside the hub, in a container of its own: "
                "docker compose run --rm --no-deps hub passerelle hub …, or .venv/bin/passerelle hub … in the checkout."
            )
        return cls(client, own)

    def volumes(self) -> list[Volume]:
        """All of this deployment."""
        return volumes_of(
            self.project, ((one.name, one.attrs.get("Labels") or {}) for one in self._client.volumes.list())
        )

    def make_volume(self, place: str) -> Volume:
        """The volume of a place, made if it is not there."""
        name = volume_name(self.project, place)
        self._client.volumes.create(name, labels=volume_labels(self.project, place))
        kind, _, of = place.partition("/")
        return Volume(kind, of, name)  # type: ignore[arg-type]  # a place begins with a kind

    def remove_volume(self, name: str) -> None:
        """For good. An engine refuses while a container has it."""
        try:
            self._client.volumes.get(name).remove()
        except NotFound:
            pass
        except APIError as error:
            raise AdministrationError(f"the volume {name} cannot be removed: {_said(error)}.") from None

    def services(self) -> dict[str, Any]:
        """The running services' containers, without those of `docker compose run`."""
        found = self._client.containers.list(filters={"label": f"{PROJECT_LABEL}={self.project}"})
        return {one.labels[SERVICE_LABEL]: one for one in found if one.labels.get(ONE_OFF_LABEL) != "True"}

    def labs(self) -> list[str]:
        """The running labs."""
        label = f"{PROJECT_LABEL}={self.project}-labs"
        return sorted(one.name for one in self._client.containers.list(filters={"label": label}))

    def users_of(self, volume: str) -> list[Any]:
        """The containers that have a volume."""
        return list(self._client.containers.list(all=True, filters={"volume": volume}, ignore_removed=True))

    def on_machine(self, folder: str) -> str:
        """A folder as the machine knows it: what is relative is so to the folder of .env."""
        path = PurePosixPath(self.folder, folder)
        if not path.is_absolute() or ".." in path.parts:
            raise AdministrationError(
                f"{folder}: name the folder by its whole path on this machine, such as /srv/backup."
            )
        return str(path)

    def execute(self, service: str, *command: str) -> tuple[int, str]:
        """Run a command in a running service; exit status and what it printed."""
        container = self.services().get(service)
        if container is None:
            raise AdministrationError(f"the service {service} does not run: docker compose up -d {service}")
        status, output = container.exec_run(list(command))
        return status, output.decode(errors="replace")

    def last_containers(self) -> dict[str, Any]:
        """Of each service, those that have ended included."""
        found = self._client.containers.list(all=True, filters={"label": f"{PROJECT_LABEL}={self.project}"})
        return {one.labels[SERVICE_LABEL]: one for one in found if one.labels.get(ONE_OFF_LABEL) != "True"}

    def read(self, container: Any, path: str) -> str:
        """A file of a container, running or not; empty if it is not there."""
        try:
            chunks, _ = container.get_archive(path)
        except NotFound:
            return ""
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
            stream = tar.extractfile(tar.getmembers()[0])
            return stream.read().decode(errors="replace") if stream else ""

    def image_environment(self, container: Any) -> set[str]:
        """The names that the image itself sets."""
        image = self._client.images.get(container.attrs["Image"])
        return {line.partition("=")[0] for line in image.attrs["Config"]["Env"] or ()}

    def keep_images(self, services: Collection[str], tag: str) -> list[str]:
        """Give the images of these services another name, so that a build does not take them away."""
        kept = []
        for name, container in sorted(self.last_containers().items()):
            if name in services:
                repository = f"{self.project}-{name}"
                self._client.images.get(container.attrs["Image"]).tag(repository, tag)
                kept.append(f"{repository}:{tag}")
        return kept

    def inside(self, what: str, wish: Mapping[str, Any], sees: Inside) -> Iterator[dict[str, Any]]:
        """Run the one-shot container and hand on what it tells.

        :raises AdministrationError: if it tells of a fault, or ends without a word
        """
        container = self._make(what, wish, sees)
        try:
            output = container.attach(stdout=True, stderr=True, stream=True, logs=True)
            container.start()
            yield from self._events(output)
            if container.wait()["StatusCode"]:
                raise AdministrationError(f"the container of `{what}` was ended from outside: run the command again.")
        finally:
            # Whoever interrupts us interrupts it: it leaves whole parts and no halves.
            with suppress(DockerException, OSError):
                container.stop(timeout=20)
            with suppress(DockerException, OSError):
                container.remove(force=True)

    def _events(self, output: Iterator[bytes]) -> Iterator[dict[str, Any]]:
        rest, stray = b"", []
        for chunk in output:
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                try:
                    event = json.loads(line)
                    kind = event["event"]
                except (ValueError, TypeError, KeyError):
                    stray.append(line.decode(errors="replace"))
                    continue
                if kind == "fault":
                    raise AdministrationError(str(event["text"]))
                yield event
        if stray:
            raise AdministrationError(f"it ended unexpectedly: {stray[-1]}")

    def _make(self, what: str, wish: Mapping[str, Any], sees: Inside) -> Any:
        # One name, so that two at once cannot write over each other.
        name = f"{self.project}-administration"
        with suppress(NotFound):
            former = self._client.containers.get(name)
            if former.status == "running":
                raise AdministrationError(
                    f"another command is at work, in the container {name}: wait, or end it by `docker stop {name}`."
                )
            former.remove(force=True)
        try:
            return self._client.containers.create(
                self._own.attrs["Image"],
                entrypoint=["python", "-m", "hub.administration.worker"],
                command=[what, json.dumps(dict(wish))],
                name=name,
                user="0:0",
                network_mode="none",
                read_only=True,
                tmpfs={"/tmp": ""},  # noqa: S108  the container's own
                cap_drop=["ALL"],
                cap_add=list(RIGHTS),
                security_opt=["no-new-privileges:true"],
                cpu_shares=256,  # labs come first
                mounts=self._mounts(sees),
                volumes={sees.target: {"bind": "/target", "mode": "rw"}} if sees.makes_target else {},
                log_config={"type": "json-file", "config": {"max-size": "10m", "max-file": "1"}},
            )
        except APIError as error:
            raise AdministrationError(f"the engine does not make the container for it: {_said(error)}.") from None

    def _mounts(self, sees: Inside) -> list[Any]:
        mounts = [
            Mount(f"/volumes/{one.place}", one.name, type="volume", read_only=one.kind not in sees.writable)
            for one in sees.volumes
        ]
        if sees.target and not sees.makes_target:
            mounts.append(Mount("/target", sees.target, type="bind", read_only=True))
        for place, folder in self.folders().items() if sees.settings else ():
            mounts.append(Mount(place, folder, type="bind", read_only=True))
        return mounts

    def folders(self) -> dict[str, str]:
        """Of the checkout, which is where `prepare` has edge/ from, and of .env if that is another one.

        Where nothing was ever started, it is where this container has deployment/notices/ from.
        """
        found = self._client.containers.list(all=True, filters={"label": f"{PROJECT_LABEL}={self.project}"})
        of = {"/edge": 0, "/etc/passerelle/notices": 1}
        sources = {
            mount["Destination"]: PurePosixPath(mount["Source"]).parents[of[mount["Destination"]]]
            for one in (self._own, *found)
            for mount in one.attrs["Mounts"]
            if mount["Destination"] in of
        }
        checkout = next((str(sources[place]) for place in of if place in sources), self.folder)
        folders = {"/checkout": checkout, "/site": self.folder}
        return {place: folder for place, folder in folders.items() if folder and (place, folder) != ("/site", checkout)}


def _said(error: APIError) -> str:
    return str(error.explanation or error).strip().rstrip(".")
