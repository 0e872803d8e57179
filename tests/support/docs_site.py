"""The site of the documentation, built from the pages as they are now."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("lab/*.md")])


def build(source: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """As the Makefile does, but of everything anew, and with all warnings instead of the first."""
    words = ["-m", "sphinx", "-q", "-b", "html", "--fail-on-warning", "--keep-going", "-c", "docs/website"]
    return subprocess.run(
        [sys.executable, *words, "-d", str(out.with_name("doctrees")), ".", str(out)],
        cwd=source,
        env=os.environ | {"PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,  # it takes three seconds where nothing else runs
        check=False,
    )
