"""The administrator's declarations in `hub.toml`: images, rules for groups, and courses.

Settings with one value for the whole hub are in `.env` (`hub/config/settings.py`); this file holds what differs between
groups. Group names are compared exactly with those from the sign-in.
"""

import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from hub.config.field_types import SettingsError, Size, parse_size

# Course names become parts of folder names, volume names and URLs.
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Image(_Section):
    """An image that a lab can start from."""

    name: str = Field(min_length=1, max_length=80)
    """The label on the spawn form."""
    image: str = Field(default="", max_length=255)
    """Image reference as in `docker images`; empty for the image that compose builds from lab/Dockerfile."""
    description: str = ""
    groups: tuple[str, ...] = ()
    """Groups that may choose the image; empty for all users."""


class GroupRules(_Section):
    """Values for the members of a group, in place of the hub's defaults.

    The most generous value applies to a user in several groups.
    """

    memory: Size | None = None
    cpu: float | None = Field(default=None, gt=0, le=1024)
    processes: int | None = Field(default=None, ge=32)
    gpus: tuple[str, ...] = ()
    """Device ids as listed by `nvidia-smi -L`; a count would give all users the first device."""
    quota: Size | None = None
    """Maximum size of the home volume."""
    max_age: int | None = Field(default=None, ge=0)
    """Seconds after which a lab is culled even if it is in use; 0 for never."""
    idle_timeout: int | None = Field(default=None, ge=0)
    """Seconds without activity after which a lab is culled; 0 for never."""


def _seconds(limit: int) -> float:
    return limit or float("inf")  # 0 stands for never


_GENEROSITY: dict[str, Callable[[Any], float]] = {
    "memory": parse_size,
    "cpu": float,
    "processes": int,
    "quota": parse_size,
    "max_age": _seconds,
    "idle_timeout": _seconds,
}


class Course(_Section):
    """A shared folder that teachers can write and students can read."""

    title: str = ""
    students: tuple[str, ...] = ()
    teachers: tuple[str, ...] = Field(min_length=1)


class HubToml(_Section):
    """The content of `hub.toml`."""

    images: tuple[Image, ...] = ()
    """Images in the order of the spawn form; the first one allowed for a user is their default."""
    groups: Mapping[str, GroupRules] = Field(default_factory=dict)
    courses: Mapping[str, Course] = Field(default_factory=dict)

    @field_validator("images")
    @classmethod
    def _check_image_names(cls, images: tuple[Image, ...]) -> tuple[Image, ...]:
        names = [image.name for image in images]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two images have the same name ({', '.join(twice)})")
        return images

    @field_validator("courses")
    @classmethod
    def _check_course_names(cls, courses: Mapping[str, Course]) -> Mapping[str, Course]:
        for name in courses:
            if not _SLUG.fullmatch(name):
                raise ValueError(f"{name}: must be 1 to 40 lower case letters, digits and '-', such as algebra-1")
        return courses

    def rules_for(self, groups: Collection[str]) -> GroupRules:
        """Return the rules for a user in these groups: the most generous value of each, and the GPUs of all."""
        found = [rules for name, rules in self.groups.items() if name in groups]
        values = {
            name: max((value for rules in found if (value := getattr(rules, name)) is not None), key=key, default=None)
            for name, key in _GENEROSITY.items()
        }
        gpus = dict.fromkeys(gpu for rules in found for gpu in rules.gpus)  # without duplicates, in order
        return GroupRules(gpus=tuple(gpus), **values)

    def images_for(self, groups: Collection[str]) -> list[Image]:
        """Return the images that a user in these groups may choose."""
        return [image for image in self.images if not image.groups or not set(groups).isdisjoint(image.groups)]


def read_hub_toml(path: Path | None) -> HubToml:
    """Read and check the file; None stands for a file without declarations.

    Raises:
        SettingsError: The file cannot be read or is invalid; the message lists all faults.
    """
    if path is None:
        return HubToml()
    try:
        document: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        return HubToml.model_validate(document)
    except OSError as error:
        fault = f"it cannot be read ({error.strerror})"
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        fault = f"it is not TOML: {error}"
    except ValidationError as error:
        fault = "; ".join(
            f"{'.'.join(map(str, one['loc']))}: {one['msg'].removeprefix('Value error, ')}"
            for one in error.errors(include_url=False, include_input=False)
        )
    raise SettingsError(f"{path.name} is wrong: {fault}")
