"""Whether the hub is healthy, for `docker compose up --wait`: it answers, and the edge has once led people to it.

The second is not known from the first: Traefik takes up the routes of the hub a moment after they are written, and
until then people are told that there is no such page. Asked once a start only, because a fault of the edge later on is
not the fault of the hub.
"""

from __future__ import annotations

import http.client
import os
import ssl
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

HUB = "http://127.0.0.1:8081"
EDGE = "https://traefik"
WAS_REACHED = Path("/tmp/passerelle-hub-was-reached")  # noqa: S108  the container's own, and gone at its next start
SECONDS = 1.5  # for each of two questions: compose.yml gives both four


def fault(hub: str, edge: str, public_host: str, was_reached: Path) -> str | None:
    """What is not as it should be, as a sentence for `docker inspect`."""
    if said := _refusal(hub, ""):
        return f"The hub does not answer: {said}"
    if was_reached.exists():
        return None
    if said := _refusal(edge, public_host):
        return f"Traefik does not lead to the hub as {public_host}: {said}"
    was_reached.touch()
    return None


def _refusal(address: str, host: str) -> str | None:
    parts = urlsplit(address)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        # Asked is whether there is a way; whose certificate browsers see is not decided here.
        anybody = ssl._create_unverified_context()  # noqa: S323  see above
        connection = http.client.HTTPSConnection(parts.netloc, timeout=SECONDS, context=anybody)
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=SECONDS)
    try:
        connection.request("GET", "/hub/health", headers={"Host": host} if host else {})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"{error or type(error).__name__}"
    finally:
        connection.close()
    return None if status == 200 else f"it says {status}"


def main(environment: Mapping[str, str] = os.environ) -> int:
    """The exit status: 0 for healthy."""
    told = fault(HUB, EDGE, urlsplit(environment["HUB_PUBLIC_URL"]).netloc, WAS_REACHED)
    if told:
        print(told)  # noqa: T201  for `docker inspect`
    return int(told is not None)


if __name__ == "__main__":
    sys.exit(main())
