"""Backups in tests: make one, and look into it."""

import json
import subprocess
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from hub.administration.worker import repository
from hub.administration.worker.backup import back_up

REQUEST: dict[str, Any] = {"project": "hub", "versions": {"jupyterhub": "6.1.1"}, "checkout": "/opt/passerelle"}


def backup_and_read_messages(**changed: Any) -> tuple[dict[str, Any], list[str]]:
    """Make a backup and return its result, and the messages that it reported."""
    output = StringIO()
    with redirect_stdout(output):
        result = back_up(**REQUEST | changed)
    return result, [json.loads(line)["message"] for line in output.getvalue().splitlines()]


def backup(**changed: Any) -> str:
    """Make a backup and return its snapshot."""
    return str(backup_and_read_messages(**changed)[0]["snapshot"])


def file_names(snapshot: str, folder: Path) -> list[str]:
    """Return the names of all entries below a folder of a snapshot."""
    done = subprocess.run(
        repository._command(["ls", "--recursive", snapshot, str(folder)]),
        env=repository._environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    entries = [json.loads(line) for line in done.stdout.splitlines()]
    return [entry["name"] for entry in entries if "name" in entry]


def write(path: Path, text: str = "x") -> Path:
    """Write a file and its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
