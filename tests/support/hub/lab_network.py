"""Connections from a lab to other parts of the deployment and to hosts outside of the server."""

from __future__ import annotations

from tests.support.docker.deployment import Deployment
from tests.support.docker.outside import ADDRESSES


def statuses_through_proxy(deployment: Deployment, user: str, urls: list[str]) -> list[str]:
    """Return the status of each URL, after redirects, with the proxy of the lab's environment."""
    code = (
        "import sys, urllib.request, urllib.error\n"
        "for url in sys.argv[1:]:\n"
        "    try: print(urllib.request.urlopen(url, timeout=9).status)\n"
        "    except urllib.error.HTTPError as error: print(error.code)\n"
        "    except OSError as error: print(error)\n"
    )
    return deployment.docker("exec", f"{deployment.project}-lab-{user}", "python3", "-c", code, *urls).splitlines()


def send_datagrams(deployment: Deployment, user: str) -> None:
    """Send a datagram to port 53 of each host outside, and wait until it would have arrived."""
    code = (
        "import socket, sys, time\n"
        "for address in sys.argv[1:]:\n"
        "    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "    try: sender.sendto(b'name', (address, 53))\n"
        "    except OSError: pass\n"
        "time.sleep(0.5)\n"
    )
    deployment.docker("exec", f"{deployment.project}-lab-{user}", "python3", "-c", code, *ADDRESSES)


def private_targets(deployment: Deployment) -> dict[str, str]:
    """Return the addresses of other services and labs that a lab must not reach, and the two that it may."""
    template = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
    traefik = f"{deployment.subnet_prefix}.0.3"
    targets = {"hub": "hub:8081", "edge": "traefik:443", "neighbour": f"{deployment.project}-lab-alice:8888"}
    targets |= {f"traefik {port}": f"{traefik}:{port}" for port in (8090, 8098, 8099)}
    targets |= {f"hub {port}": f"hub:{port}" for port in (8000, 8888)}
    lab = deployment.docker("inspect", "--format", template, f"{deployment.project}-lab-alice").strip()
    targets["neighbour by address"] = f"{lab}:8888"
    for name, port in {"bridge": 8000, "cas": 8000, "traefik": 8099, "hub": 8081}.items():
        targets[f"{name} by name"] = f"{name}:{port}"
        for address in deployment.docker("inspect", "--format", template, deployment.container(name)).split():
            if not address.startswith(deployment.subnet_prefix):
                targets[f"{name} at {address}"] = f"{address}:{port}"
    del targets["hub by name"]
    return targets
