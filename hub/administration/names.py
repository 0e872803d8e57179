"""Which volumes of an engine are this deployment's, and whose home is which: pure functions on names.

DockerSpawner writes a user's name into the name of a volume with everything but letters and digits as `-` and two
hexadecimal digits a byte. That is undone here, strictly: what is no such name is no home of ours, so that a
deployment `hub` never takes `hub-home-page_secrets` of a deployment `hub-home-page` for somebody's home.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

PROJECT_LABEL = "com.docker.compose.project"
VOLUME_LABEL = "com.docker.compose.volume"
KINDS = ("service", "public", "course", "home")
Kind = Literal["service", "public", "course", "home"]
# Made anew at each start, or of no use anywhere else: routes of labs that run, and what Prometheus has collected.
NOT_KEPT = frozenset({"traefik-dynamic", "prometheus-data"})
_ESCAPED = re.compile(r"(?:[A-Za-z0-9]|-[0-9a-f]{2})+")
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")


@dataclass(frozen=True, order=True)
class Volume:
    """A volume of this deployment."""

    kind: Kind
    of: str
    """The name in compose.yml, the escaped user, or the course."""
    name: str
    """On this engine."""

    @property
    def place(self) -> str:
        """The same in every deployment."""
        return f"{self.kind}/{self.of}"


def escape(user: str) -> str:
    """The name as DockerSpawner writes it."""
    return "".join(
        letter if letter.isascii() and letter.isalnum() else "".join(f"-{byte:02x}" for byte in letter.encode())
        for letter in user
    )


def unescape(text: str) -> str | None:
    """The user, or None if no user is written so."""
    if not _ESCAPED.fullmatch(text):
        return None
    parts = re.findall(r"-([0-9a-f]{2})|(.)", text)
    try:
        user = b"".join(bytes.fromhex(code) if code else letter.encode() for code, letter in parts).decode()
    except UnicodeDecodeError:
        return None
    return user if escape(user) == text else None


def volumes_of(project: str, found: Iterable[tuple[str, Mapping[str, str]]]) -> list[Volume]:
    """The volumes of a deployment among those of the engine: services first, homes last."""
    ours = [volume for name, labels in found if (volume := _volume(project, name, labels))]
    return sorted(ours, key=lambda volume: (KINDS.index(volume.kind), volume.of))


def _volume(project: str, name: str, labels: Mapping[str, str]) -> Volume | None:
    owner = labels.get(PROJECT_LABEL)
    if owner == project and VOLUME_LABEL in labels:
        return Volume("service", labels[VOLUME_LABEL], name)
    if owner not in (None, project, f"{project}-labs") or not name.startswith(f"{project}-"):
        return None
    rest = name.removeprefix(f"{project}-")
    kind, _, of = rest.partition("-")
    found: dict[str, Volume | None] = {
        "public": Volume("public", "public", name) if not of else None,
        "home": Volume("home", of, name) if unescape(of) is not None else None,
        "course": Volume("course", of, name) if _SLUG.fullmatch(of) else None,
    }
    return found.get(kind)


def volume_name(project: str, place: str) -> str:
    """What the volume of a place is called in a deployment."""
    kind, _, of = place.partition("/")
    return (
        f"{project}_{of}"
        if kind == "service"
        else f"{project}-public"
        if kind == "public"
        else f"{project}-{kind}-{of}"
    )


def volume_labels(project: str, place: str) -> dict[str, str]:
    """So that compose knows the volumes of its services for its own."""
    kind, _, of = place.partition("/")
    return {PROJECT_LABEL: project, VOLUME_LABEL: of} if kind == "service" else {}


def size(count: float) -> str:
    """Bytes as people read them."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
