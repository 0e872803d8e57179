"""The documentation site, built from the pages of the work tree."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("lab/*.md")])


def build(source: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """Build the site as `make docs` does, and report all warnings instead of the first."""
    words = ["-m", "sphinx", "-q", "-b", "html", "--fail-on-warning", "--keep-going", "-c", "docs/website"]
    return subprocess.run(
        [sys.executable, *words, "-d", str(out.with_name("doctrees")), ".", str(out)],
        cwd=source,
        env=os.environ | {"PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,  # 3 s on an idle machine
        check=False,
    )
