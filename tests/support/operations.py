"""A deployment whose administrator types commands, and what has to be the same after a restore."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.support.deployment import Deployment, free_port

PEOPLE = (
    "SELECT users.name, users.admin, users.cookie_id, groups.name FROM users "
    "LEFT JOIN user_group_map ON user_id = users.id LEFT JOIN groups ON groups.id = group_id ORDER BY 1, 4"
)


class Hub(Deployment):
    """A deployment whose administrator types commands."""

    def hub(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.compose("run", "--rm", "--no-deps", "-T", "hub", "passerelle", "hub", *arguments, check=check)

    def remove(self) -> None:
        """What a profile started as well."""
        self.compose("--profile", "*", "down", check=False)
        super().remove()

    def bridge(self, *arguments: str) -> Any:
        return json.loads(self.compose("exec", "-T", "bridge", "passerelle", *arguments, "--json").stdout)

    def in_home(self, user: str, script: str) -> str:
        volume = f"{self.project}-home-{user}:/home/jovyan"
        image = f"{self.project}-lab"
        return self.docker("run", "--rm", "--user", "0", "--volume", volume, "--entrypoint", "sh", image, "-c", script)


def deployment(folder: Path, name: str) -> Hub:
    return Hub(folder, f"passerelle-{name}-{os.getpid()}", http_port=free_port(0), https_port=free_port(0))


def state_of(one: Hub) -> dict[str, Any]:
    """What has to be the same after a restore."""
    return {
        "people": one.in_hub_database(PEOPLE),
        # The hub itself is a client by settings, which tell the port.
        "clients": [client for client in one.bridge("clients", "list") if client["source"] != "settings"],
        "keys": one.bridge("keys", "list"),
        "sessions": one.bridge("sessions", "list"),
    }
