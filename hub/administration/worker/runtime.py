"""Mount points of the one-shot container, and the events it reports."""

import json
from pathlib import Path
from typing import Any, Literal

VOLUMES = Path("/volumes")
"""Contains each mounted volume as `<kind>/<name>`."""
TARGET = Path("/target")
"""The folder of a repository, or one that gets a new file."""
OUTPUT = Path("/output")
CHECKOUT = Path("/checkout")
SITE = Path("/site")
"""The folder of .env; absent if that is the checkout."""
STAGING = Path("/staging/files")
"""Copies that go into a snapshot, on a volume that is removed with the container."""
PASSWORD = Path("/password")


def emit(event: Literal["message", "error", "result"], value: Any) -> None:
    """Report an event to the command that started this container."""
    print(json.dumps({event: value}), flush=True)  # noqa: T201  the protocol


def mounted_volumes(*kinds: str) -> list[Path]:
    """Return the mounted volumes of these kinds, in their order."""
    return [path for kind in kinds for path in sorted((VOLUMES / kind).glob("*")) if path.is_dir()]


def place_of(folder: Path) -> str:
    """Return the place of a mounted volume, such as `home/bob`."""
    return f"{folder.parent.name}/{folder.name}"
