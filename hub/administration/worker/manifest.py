"""What a backup says of itself: manifest.json, rewritten after each part, so that an interrupted one can go on."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hub.administration.faults import AdministrationError
from hub.administration.worker.archive import write_bytes

NAME = "manifest.json"
_FILE = r"^(service|public|course|home|database)(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)+$"


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Part(_Told):
    """A file of the backup."""

    file: str = Field(pattern=_FILE)
    place: str = Field(pattern=r"^(service|public|course|home)/[A-Za-z0-9_-][A-Za-z0-9_.-]*$")
    """The volume that it belongs to, by its name in every deployment."""
    kind: Literal["folder", "database"]
    bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    taken: datetime
    path: str = ""
    """Of a database: where it is in its volume."""
    owner: tuple[int, int] = (0, 0)
    mode: int = 0o600
    schema_version: str = ""
    changed: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


class Manifest(_Told):
    """The whole."""

    format: Literal[1] = 1
    project: str
    began: datetime
    ended: datetime | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    excluded: tuple[str, ...] = ()
    only_databases: bool = False
    parts: tuple[Part, ...] = ()
    settings: tuple[str, ...] = ()
    """Files of the checkout, kept under settings/."""

    def part(self, file: str) -> Part | None:
        """The part of this file."""
        return next((part for part in self.parts if part.file == file), None)

    def having(self, part: Part) -> Manifest:
        """With this part in the place of an older one."""
        others = tuple(other for other in self.parts if other.file != part.file)
        return self.model_copy(update={"parts": (*others, part)})


def read_manifest(folder: Path) -> Manifest:
    """What the backup in this folder says."""
    path = folder / NAME
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise AdministrationError(
            f"there is no {NAME} in that folder: name the folder that `passerelle hub backup` wrote."
        ) from None
    except OSError as error:
        raise AdministrationError(f"{NAME} cannot be read ({error.strerror}).") from None
    except ValidationError as error:
        what = "; ".join(
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_input=False)[:3]
        )
        raise AdministrationError(
            f"{NAME} is not one that this version can read ({what}): use the version of Passerelle that wrote it."
        ) from None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace it in one step, and on the disk before anybody is told."""
    write_bytes(manifest.model_dump_json(indent=2).encode() + b"\n", folder / NAME)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def moment() -> datetime:
    """Now, to the second."""
    return datetime.now(UTC).replace(microsecond=0)
