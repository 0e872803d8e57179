"""Names of this deployment's volumes, and the users whose homes they are.

DockerSpawner escapes a user's name in a volume's name: every byte but letters and digits becomes `-` and two
hexadecimal digits. Unescaping is strict, so that a project `hub` does not take `hub-home-page_secrets` of a project
`hub-home-page` for a home.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from hub.storage import SHARED_LABEL

PROJECT_LABEL = "com.docker.compose.project"
VOLUME_LABEL = "com.docker.compose.volume"
KINDS = ("service", "public", "course", "home")
# Created at each start, or useless elsewhere: routes, a socket, the firewall's state, and what Prometheus collected.
NOT_BACKED_UP = frozenset({"traefik-dynamic", "guard-socket", "firewall", "prometheus-data"})
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")


@dataclass(frozen=True, order=True)
class Volume:
    """A volume of a deployment: one of `KINDS`; its service, course or escaped user; its name on this engine."""

    kind: str
    of: str
    name: str

    @property
    def place(self) -> str:
        """Return its name in every deployment, such as `home/bob`."""
        return f"{self.kind}/{self.of}"


def escape(user: str) -> str:
    """Escape a user's name as DockerSpawner does."""
    return re.sub(rb"[^A-Za-z0-9]", lambda byte: b"-%02x" % ord(byte[0]), user.encode()).decode()


def unescape(text: str) -> str | None:
    """Return the user of an escaped name, or None if no user's name is escaped so."""
    try:
        user = unquote(text.replace("-", "%"), errors="strict")
    except UnicodeDecodeError:
        return None
    return user if user and escape(user) == text else None


def find_volumes(project: str, found: Iterable[tuple[str, Mapping[str, str]]]) -> list[Volume]:
    """Return a project's volumes among names and labels of the engine's, services first and homes last."""
    volumes = [volume for name, labels in found if (volume := _parse_volume(project, name, labels))]
    return sorted(volumes, key=lambda volume: (KINDS.index(volume.kind), volume.of))


def _parse_volume(project: str, name: str, labels: Mapping[str, str]) -> Volume | None:
    owner = labels.get(PROJECT_LABEL)
    if owner == project and VOLUME_LABEL in labels:
        return Volume("service", labels[VOLUME_LABEL], name)
    if owner not in (None, project, f"{project}-labs") or labels.get(SHARED_LABEL, project) != project:
        return None
    if not name.startswith(f"{project}-"):
        return None
    kind, _, of = name.removeprefix(f"{project}-").partition("-")
    if kind == "public" and not of:
        return Volume("public", "public", name)
    if kind == "home" and unescape(of) is not None:
        return Volume("home", of, name)
    return Volume("course", of, name) if kind == "course" and _SLUG.fullmatch(of) else None


def volume_of(project: str, place: str) -> Volume:
    """Return the volume of a place in a deployment."""
    kind, _, of = place.partition("/")
    name = {"service": f"{project}_{of}", "public": f"{project}-public"}.get(kind, f"{project}-{kind}-{of}")
    return Volume(kind, of, name)


def labels_of(project: str, volume: Volume) -> dict[str, str]:
    """Return the labels by which Compose recognises the volumes of its services, and a hub its shared folders."""
    if volume.kind == "service":
        return {PROJECT_LABEL: project, VOLUME_LABEL: volume.of}
    return {SHARED_LABEL: project} if volume.kind in ("course", "public") else {}
