"""The libraries of the Node world that the applications here are made of."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

PACKAGE = Path(__file__).with_name("node")
INSTALL_SECONDS = 120


def install(folder: Path) -> Path:
    """The libraries beside the applications, as the lock says, and no script of any package run."""
    place = Path(shutil.copytree(PACKAGE, folder / "node"))
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return place
