"""Installation of the Node libraries that the applications use."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

PACKAGE = Path(__file__).with_name("node")
INSTALL_SECONDS = 120


def install(folder: Path) -> Path:
    """Install the locked libraries next to the applications, without package scripts."""
    place = Path(shutil.copytree(PACKAGE, folder / "node"))
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    result = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    assert result.returncode == 0, result.stderr
    return place
