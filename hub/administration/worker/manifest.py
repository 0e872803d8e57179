"""The manifest of a backup: a JSON file in its snapshot, with everything that restic cannot know."""

from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from hub.administration import AdministrationError
from hub.administration.worker import repository, runtime

NAME = "manifest.json"
_NAME = r"[A-Za-z0-9_-][A-Za-z0-9_.-]*"


def _check_relative(path: str) -> str:
    parts = PurePosixPath(path)
    if not path or parts.is_absolute() or ".." in parts.parts:
        raise ValueError("leads out of its volume: do not trust this backup")
    return path


RelativePath = Annotated[str, AfterValidator(_check_relative)]
Place = Annotated[str, Field(pattern=rf"^(service|public|course|home)/{_NAME}$")]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DatabaseCopy(_Record):
    """A copy of a database: its file below the staging folder, and where it belongs."""

    file: str = Field(pattern=rf"^database/{_NAME}/{_NAME}$")
    place: str = Field(pattern=rf"^service/{_NAME}$")
    path: RelativePath
    owner: tuple[int, int]
    mode: int


class Manifest(_Record):
    """The facts of a backup; `places` are the volumes it contains, by their names in every deployment.

    `sizes` are the bytes that places and `databases` took on their disks, without holes and excluded files.
    """

    format: Literal[2] = 2
    project: str
    taken: datetime
    versions: dict[str, str] = Field(default_factory=dict)
    excluded: tuple[str, ...] = ()
    only_databases: bool = False
    places: tuple[Place, ...] = ()
    databases: tuple[DatabaseCopy, ...] = ()
    settings: tuple[RelativePath, ...] = ()
    sizes: dict[str, int] = Field(default_factory=dict)

    def write(self) -> None:
        """Write the manifest into the staging folder."""
        runtime.STAGING.mkdir(parents=True, exist_ok=True)
        (runtime.STAGING / NAME).write_bytes(self.model_dump_json(indent=2).encode() + b"\n")


def read_manifest(snapshot: str) -> Manifest:
    """Read the manifest of a snapshot."""
    return parse_manifest(repository.read_file(snapshot, runtime.STAGING / NAME))


def parse_manifest(text: bytes) -> Manifest:
    """Validate a manifest; see `read_manifest`."""
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        reasons = "; ".join(
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_input=False)[:3]
        )
        raise AdministrationError(
            f"this version cannot read that backup's {NAME} ({reasons}): use the version of Passerelle that wrote it."
        ) from None


def current_time() -> datetime:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)
