"""The Docker engine, as a container of the deployment sees it."""

import io
import socket
import tarfile
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any, Self

import docker
from docker.errors import APIError, DockerException, NotFound

from hub.administration import AdministrationError
from hub.administration.volume_names import PROJECT_LABEL, Volume, find_volumes, labels_of, volume_of
from hub.storage.volumes import LABEL

SERVICE_LABEL = "com.docker.compose.service"
ONE_OFF_LABEL = "com.docker.compose.oneoff"
FOLDER_LABEL = "com.docker.compose.project.working_dir"
TIMEOUT = 120  # seconds for one request
POLL_INTERVAL = 0.5  # seconds
REMOVE_ATTEMPTS = 5


class Engine:
    """The engine; `folder` is where `docker compose` was called on the machine, the folder of .env."""

    def __init__(self, client: Any, own: Any) -> None:
        self.client, self.own = client, own
        self.project: str = own.labels[PROJECT_LABEL]
        self.folder: str = own.labels.get(FOLDER_LABEL, "")

    @classmethod
    def open(cls) -> Self:
        """Connect; raise unless this process runs in a container of a deployment."""
        try:
            client = docker.from_env(timeout=TIMEOUT)
            own = client.containers.get(socket.gethostname())
        except (DockerException, OSError):
            own = None
        if own is None or PROJECT_LABEL not in own.labels:
            raise AdministrationError(
                "this command needs a container of its own beside the hub: docker compose run --rm --no-deps "
                "administration passerelle hub …, or .venv/bin/passerelle hub … in the checkout."
            )
        return cls(client, own)

    def volumes(self, *kinds: str) -> list[Volume]:
        """Return the volumes of this deployment; all kinds by default."""
        found = ((volume.name, volume.attrs.get("Labels") or {}) for volume in self.client.volumes.list())
        return [volume for volume in find_volumes(self.project, found) if not kinds or volume.kind in kinds]

    def create_volume(self, place: str) -> Volume:
        """Return the volume of a place; create it if it does not exist."""
        volume = volume_of(self.project, place)
        self.client.volumes.create(volume.name, labels=labels_of(self.project, volume))
        return volume

    def remove_volume(self, name: str) -> None:
        """Remove a volume, and the containers that measure it."""
        for remaining in reversed(range(REMOVE_ATTEMPTS)):
            self.release_volume(name)
            try:
                with suppress(NotFound):
                    self.client.volumes.get(name).remove()
                return
            except APIError as error:  # a measurement may have begun meanwhile
                if not remaining:
                    raise AdministrationError(f"the volume {name} cannot be removed: {explanation(error)}.") from None
                time.sleep(POLL_INTERVAL)

    def release_volume(self, name: str) -> None:
        """Remove the containers that measure a home, also a killed hub's; raise if any other container has it."""
        containers = self._containers(all=True, filters={"volume": name}, ignore_removed=True)
        if others := sorted(one.name for one in containers if LABEL not in one.labels):
            raise AdministrationError(
                f"{name} is in use by {', '.join(others)}: remove it (`docker rm -f`), then run this again."
            )
        for container in containers:
            with suppress(APIError):  # the volume service removes it at this moment
                container.remove(force=True)

    def services(self, *, running_only: bool = True) -> dict[str, Any]:
        """Return the containers of the services, without those of `docker compose run`."""
        found = self._containers(all=not running_only, filters={"label": f"{PROJECT_LABEL}={self.project}"})
        return {one.labels[SERVICE_LABEL]: one for one in found if one.labels.get(ONE_OFF_LABEL) != "True"}

    def labs(self) -> list[str]:
        """Return the names of the running labs."""
        return sorted(one.name for one in self._containers(filters={"label": f"{PROJECT_LABEL}={self.project}-labs"}))

    def machine_path(self, folder: str) -> str:
        """Return a folder's path on the machine; a relative one starts in the folder of .env."""
        path = PurePosixPath(self.folder, folder)
        if not path.is_absolute() or ".." in path.parts:
            raise AdministrationError(
                f"{folder}: use the absolute path of a folder on this machine, as in /srv/backup."
            )
        return str(path)

    def execute(self, service: str, *command: str) -> tuple[int, str]:
        """Run a command in a running service, and return its exit status and output."""
        container = self.services().get(service)
        if container is None:
            raise AdministrationError(f"the service {service} does not run: docker compose up -d {service}")
        status, output = container.exec_run(list(command))
        return status, output.decode(errors="replace")

    def read_file(self, container: Any, path: str) -> str:
        """Return a file of a container, running or not; empty if it does not exist."""
        try:
            chunks, _ = container.get_archive(path)
        except NotFound:
            return ""
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
            stream = tar.extractfile(tar.getmembers()[0])
            return stream.read().decode(errors="replace") if stream else ""

    def image_of(self, container: Any) -> Any:
        """Return the image that a container runs."""
        return self.client.images.get(container.attrs["Image"])

    def tag_images(self, services: Collection[str], tag: str) -> list[str]:
        """Tag the images of these services, so that a build does not remove them, and return the names."""
        names = []
        for service, container in sorted(self.services(running_only=False).items()):
            if service in services:
                repository = f"{self.project}-{service}"
                self.image_of(container).tag(repository, tag)
                names.append(f"{repository}:{tag}")
        return names

    def checkout(self) -> str:
        """Return the folder of the checkout on the machine.

        It is where `prepare` mounts edge/ from, or, before any start, where this container mounts notices/ from.
        """
        containers = [self.own, *self._containers(all=True, filters={"label": f"{PROJECT_LABEL}={self.project}"})]
        for destination, depth in (("/edge", 1), ("/etc/passerelle/notices", 1)):
            for container in reversed(containers):
                for mount in container.attrs["Mounts"]:
                    if mount["Destination"] == destination:
                        return str(PurePosixPath(mount["Source"]).parents[depth])
        return self.folder

    def _containers(self, **options: Any) -> Sequence[Any]:
        return list(self.client.containers.list(**options))


def environment_of(item: Any) -> dict[str, str]:
    """Return the environment variables of a container or of an image."""
    return dict(line.partition("=")[::2] for line in item.attrs["Config"]["Env"] or ())


def explanation(error: APIError) -> str:
    """Return the engine's own text of an error."""
    return str(error.explanation or error).strip().rstrip(".")
