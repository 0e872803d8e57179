"""A deployment with administration commands, and the state that a restore must reproduce."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.docker.deployment import ROOT, Deployment, free_port

PEOPLE = (
    "SELECT users.name, users.admin, users.cookie_id, groups.name FROM users "
    "LEFT JOIN user_group_map ON user_id = users.id LEFT JOIN groups ON groups.id = group_id ORDER BY 1, 4"
)


# Runs several commands in one process, because its start is slow.
COMMANDS = """\
import json, sys
from bridge.cli import main
for words in json.loads(sys.argv[1]):
    main(words, standalone_mode=False)
    print("--")
"""


class Hub(Deployment):
    """A deployment with administration commands."""

    def hub(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.compose(
            "run", "--rm", "--no-deps", "-T", "administration", "passerelle", "hub", *arguments, check=check
        )

    def on_machine(self, arguments: str, *, where: str = "", said: str = "", fails: bool = False) -> str:
        """Run the command on the machine in a folder of the checkout and return its output."""
        program = "from bridge.cli import main; main(prog_name='passerelle')"
        line = f"{shlex.join([sys.executable, '-c', program])} hub {arguments}"
        return self.typed(line, where=where, said=said, fails=fails)

    def typed(self, line: str, *, where: str = "", said: str = "", fails: bool = False) -> str:
        """Run a shell command with this input and return its output."""
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=self.folder / where,
            env=self.environment() | {"PYTHONPATH": str(ROOT)},
            input=said,
            capture_output=True,
            text=True,
            check=False,
        )
        if fails == (done.returncode == 0):
            raise AssertionError(f"{line} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}\n{self.logs()}")
        return done.stdout

    def remove(self) -> None:
        """Remove the deployment, including services of profiles."""
        self.compose("--profile", "*", "down", "--timeout", "1", check=False)
        super().remove()

    def bridge(self, *arguments: str) -> Any:
        (answer,) = self.bridge_commands(arguments)
        return answer

    def bridge_commands(self, *commands: Sequence[str]) -> list[Any]:
        """Run several commands of the bridge, and return their JSON output."""
        words = json.dumps([[*command, "--json"] for command in commands])
        said = self.docker("exec", self.container("bridge"), "python", "-c", COMMANDS, words)
        return [json.loads(answer) for answer in said.split("\n--")[:-1]]

    def in_home(self, user: str, script: str) -> str:
        volume = f"{self.project}-home-{user}:/home/jovyan"
        image = f"{self.project}-lab"
        return self.docker("run", "--rm", "--user", "0", "--volume", volume, "--entrypoint", "sh", image, "-c", script)


def deployment(folder: Path, name: str) -> Hub:
    return Hub(folder, f"passerelle-{name}-{os.getpid()}", http_port=free_port(0), https_port=free_port(0))


def state_of(one: Hub) -> dict[str, Any]:
    """Return the state that a restore must reproduce."""
    clients, keys, sessions = one.bridge_commands(("clients", "list"), ("keys", "list"), ("sessions", "list"))
    return {
        "people": one.query_hub_database(PEOPLE),
        # The hub's own client comes from the settings and contains the port.
        "clients": [client for client in clients if client["source"] != "settings"],
        "keys": keys,
        "sessions": sessions,
    }
