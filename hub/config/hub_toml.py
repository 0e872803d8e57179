"""What an administrator declares about groups, images and courses: the file `hub.toml`, read once, checked as a whole.

Everything that is one value for everybody is in .env (`hub/config/settings.py`); here is what differs from group to group. A
file that is absent declares nothing. Group names are those that the sign-in brings, compared exactly.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator

from hub.config.settings import SIZE, SettingsError

# Parts of folder names, volume names and addresses.
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")


def _check_size(text: str) -> str:
    if not SIZE.fullmatch(text):
        raise ValueError("must be a number and K, M, G or T, such as 512M or 4G")
    return text.upper()


Size = Annotated[str, AfterValidator(_check_size)]


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Image(_Declared):
    """An image that labs can be started from."""

    name: str = Field(min_length=1, max_length=80)
    """What people choose by."""
    image: str = Field(default="", max_length=255)
    """As `docker images` names it; empty: the one that compose builds from lab/Dockerfile."""
    description: str = ""
    groups: tuple[str, ...] = ()
    """Who may choose it; empty: everybody."""


class GroupRules(_Declared):
    """What the members of a group get, where it is not what everybody gets. Of several groups, the most generous
    value of each kind counts.
    """

    memory: Size | None = None
    cpu: float | None = Field(default=None, gt=0, le=1024)
    processes: int | None = Field(default=None, ge=32)
    gpus: tuple[str, ...] = ()
    """Device ids as `nvidia-smi -L` numbers them; never a count, which would give everybody the first one."""
    quota: Size | None = None
    """Of the home."""
    max_age: int | None = Field(default=None, ge=0)
    """Seconds after which a lab is stopped even while it is used; 0 for never."""
    idle_timeout: int | None = Field(default=None, ge=0)
    """Seconds without activity after which it is stopped; 0 for never."""


class Course(_Declared):
    """A folder that a course shares: teachers write, students read."""

    title: str = ""
    students: tuple[str, ...] = ()
    teachers: tuple[str, ...] = Field(min_length=1)


class HubToml(_Declared):
    """The whole file."""

    images: tuple[Image, ...] = ()
    """In the order in which they are offered; the first that a user may choose is theirs if they choose none."""
    groups: Mapping[str, GroupRules] = Field(default_factory=dict)
    courses: Mapping[str, Course] = Field(default_factory=dict)

    @field_validator("images")
    @classmethod
    def _check_image_names(cls, images: tuple[Image, ...]) -> tuple[Image, ...]:
        names = [image.name for image in images]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two images have the same name ({', '.join(twice)}), by which people choose")
        return images

    @field_validator("courses")
    @classmethod
    def _check_course_names(cls, courses: Mapping[str, Course]) -> Mapping[str, Course]:
        for name in courses:
            if not _SLUG.fullmatch(name):
                raise ValueError(f"{name}: must be 1 to 40 lower case letters, digits and '-', such as algebra-1")
        return courses

    def rules_of(self, groups: Collection[str]) -> list[GroupRules]:
        """The rules that somebody in these groups is under."""
        return [rules for name, rules in self.groups.items() if name in groups]

    def images_of(self, groups: Collection[str]) -> list[Image]:
        """The images that they may choose."""
        return [image for image in self.images if not image.groups or not set(groups).isdisjoint(image.groups)]


def read_declared(path: Path | None) -> HubToml:
    """The file, or nothing declared.

    :raises SettingsError: with every fault in one sentence
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
    raise SettingsError(f"the hub cannot start, {path.name} is wrong: {fault} (see HUB_CONFIG_FILE in .env).")


def bytes_of(size: str) -> int:
    """A size in bytes; K is 1024."""
    return int(float(size[:-1]) * 1024 ** ("KMGT".index(size[-1].upper()) + 1))
