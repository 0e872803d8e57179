"""The one-shot container that reads and writes volumes for the administrator's commands."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from docker.errors import APIError, DockerException, NotFound
from docker.types import Mount

from hub.administration import AdministrationError, output
from hub.administration.engine import Engine, explanation
from hub.administration.volume_names import Volume
from hub.storage.volumes import ISOLATION

# What root needs to read and write files of any owner.
CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID")
STOP_TIMEOUT = 20  # seconds


class MissingPathError(AdministrationError):
    """A folder or file of the machine does not exist."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} does not exist on this machine.")
        self.path = path


@dataclass(frozen=True)
class WorkerMounts:
    """The mounts of the container, read-only unless they are named as writable.

    `target` is a folder of the machine, which a writable target creates; `output` is another one, to write to.
    `password` is the file with a repository's password. `settings` mounts the folders of compose.yml and of .env.
    """

    volumes: tuple[Volume, ...] = ()
    writable_kinds: frozenset[str] = frozenset()
    target: str = ""
    target_writable: bool = False
    output: str = ""
    password: str = ""
    settings: bool = False

    def binds(self) -> dict[str, dict[str, str]]:
        """Return the folders that the engine may create."""
        folders = {self.target if self.target_writable else "": "/target", self.output: "/output"}
        return {folder: {"bind": destination, "mode": "rw"} for folder, destination in folders.items() if folder}

    def mounts(self, engine: Engine) -> list[Any]:
        """Return the mounts that must exist, and an anonymous volume for copies."""
        folders = {} if self.target_writable else {"/target": self.target}
        folders["/password"] = self.password
        if self.settings:
            folders["/checkout"] = engine.checkout()
            folders["/site"] = engine.folder if engine.folder != folders["/checkout"] else ""
        return [
            Mount("/staging", None, type="volume"),
            *(
                Mount(f"/volumes/{one.place}", one.name, type="volume", read_only=one.kind not in self.writable_kinds)
                for one in self.volumes
            ),
            *(Mount(place, folder, type="bind", read_only=True) for place, folder in folders.items() if folder),
        ]


def run_worker(engine: Engine, action: str, mounts: WorkerMounts | None = None, **options: Any) -> Any:
    """Run an action in the container, print its messages, and return its result."""
    container = _create(engine, action, mounts or WorkerMounts(), options)
    try:
        stream = container.attach(stdout=True, stderr=True, stream=True, logs=True)
        container.start()
        result = _read_events(stream)
        if container.wait()["StatusCode"]:
            raise AdministrationError(f"the container of `{action}` was killed: run the command again.")
        return result
    finally:
        # An interruption of this process interrupts the container.
        with suppress(DockerException, OSError):
            container.stop(timeout=STOP_TIMEOUT)
        with suppress(DockerException, OSError):
            container.remove(force=True, v=True)


def _read_events(stream: Iterator[bytes]) -> Any:
    rest, other, result = b"", "", None
    for chunk in stream:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            try:
                ((event, value),) = json.loads(line).items()
            except (ValueError, AttributeError):
                event, value = "", line.decode(errors="replace")
            match event:
                case "message":
                    output.print_note(value)
                case "error":
                    raise AdministrationError(value)
                case "result":
                    result = value
                case _:
                    other = value
    if other:
        raise AdministrationError(f"the container ended unexpectedly: {other}")
    return result


def _create(engine: Engine, action: str, mounts: WorkerMounts, options: dict[str, Any]) -> Any:
    # The fixed name prevents two commands from writing at the same time.
    name = f"{engine.project}-administration"
    with suppress(NotFound):
        previous = engine.client.containers.get(name)
        if previous.status == "running":
            raise AdministrationError(
                f"another command runs in the container {name}: wait, or stop it with `docker stop {name}`."
            )
        previous.remove(force=True, v=True)
    try:
        return engine.client.containers.create(
            engine.own.attrs["Image"],
            entrypoint=["python", "-m", "hub.administration.worker"],
            command=[action, json.dumps(options)],
            name=name,
            hostname=name[:63],
            user="0:0",
            # restic also restores the owner of the folders above the volumes, which must be writable for that.
            tmpfs={"/tmp": "", "/volumes": ""},  # noqa: S108  the container's own
            cap_add=list(CAPABILITIES),
            **ISOLATION,
            cpu_shares=256,  # labs come first
            mounts=mounts.mounts(engine),
            volumes=mounts.binds(),
            log_config={"type": "json-file", "config": {"max-size": "10m", "max-file": "1"}},
        )
    except APIError as error:
        reason = explanation(error)
        if missing := re.search(r"bind source path does not exist: (.*)", reason):
            raise MissingPathError(missing[1]) from None
        raise AdministrationError(f"the engine cannot create the worker container: {reason}.") from None
