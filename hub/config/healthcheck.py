"""Health check for `docker compose up --wait`: the hub responds, and Traefik has routed to it once.

Traefik loads the hub's routes a moment after they are written, and returns 404 until then. The check asks Traefik until
the first success only, because a later fault of Traefik is not a fault of the hub.
"""

import http.client
import os
import ssl
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

HUB_URL = "http://127.0.0.1:8081"
EDGE_URL = "https://traefik"
ROUTED_MARK = Path("/tmp/passerelle-hub-was-reached")  # noqa: S108  in the container, so removed when it is recreated
TIMEOUT = 1.5  # seconds for each of two requests; compose.yml allows four for both


def find_fault(hub_url: str, edge_url: str, public_host: str, routed_mark: Path) -> str | None:
    """Return why the hub is unhealthy, as a sentence for `docker inspect`, or None."""
    if fault := _request_fault(hub_url, ""):
        return f"The hub does not respond: {fault}"
    if routed_mark.exists():
        return None
    if fault := _request_fault(edge_url, public_host):
        return f"Traefik does not route {public_host} to the hub: {fault}"
    routed_mark.touch()
    return None


def _request_fault(url: str, host: str) -> str | None:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT)
    if parts.scheme == "https":
        # The check is about the route; the certificate need not be valid for the internal name.
        context = ssl._create_unverified_context()  # noqa: S323  see above
        connection = http.client.HTTPSConnection(parts.netloc, timeout=TIMEOUT, context=context)
    try:
        connection.request("GET", "/hub/health", headers={"Host": host} if host else {})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"{error or type(error).__name__}"
    finally:
        connection.close()
    return None if status == 200 else f"status {status}"


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Print the fault, if any, and return the exit status."""
    fault = find_fault(HUB_URL, EDGE_URL, urlsplit(environ["HUB_PUBLIC_URL"]).netloc, ROUTED_MARK)
    if fault:
        print(fault)  # noqa: T201  for `docker inspect`
    return int(fault is not None)


if __name__ == "__main__":
    sys.exit(main())
